# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks a process of its own about one network: what is measured there begins with nothing loaded.

A module of such a process reads a request, JSON on standard input, and prints an answer as JSON.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from attrs import asdict

from lifelike.bench.contestants import Subject, encoder_subject, generator_subject
from lifelike.networks.encoders import encoder_settings, encoder_values
from lifelike.networks.stylegan2 import GeneratorSettings

PROCESS_SECONDS = 900.0


def ask(
    module: str, subject: Subject, values: Mapping[str, Any], environment: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """The answer of `python -m module`, or {"absent": WORDS}.

    Args:
        values: of the request, besides the network.
        environment: variables changed there.
    """
    encoder = subject.card.encoder
    request = {
        "generator": asdict(subject.card.generator) if encoder is None else None,
        "encoder": None if encoder is None else encoder_values(encoder),
        **values,
    }
    try:
        done = subprocess.run(
            [sys.executable, "-m", module],
            input=json.dumps(request),
            env={**os.environ, **(environment or {})},
            capture_output=True,
            text=True,
            timeout=PROCESS_SECONDS,
            check=True,
        )
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer
    except (OSError, subprocess.SubprocessError, ValueError):
        return {"absent": "Its process did not end well; there may be too little memory."}


def asked() -> tuple[Subject, dict[str, Any]]:
    """The network that the request on standard input is about, and the whole request."""
    request = json.load(sys.stdin)
    if request["encoder"] is not None:
        return encoder_subject(encoder_settings(request["encoder"])), request
    return generator_subject(GeneratorSettings(**request["generator"])), request
