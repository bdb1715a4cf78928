# SPDX-License-Identifier: GPL-3.0-or-later
"""A reference checkout at work in a process of its own, so that its modules and ours never meet."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from types import TracebackType
from typing import Any

import torch
from attrs import asdict
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from lifelike.bench.clock import Clock
from lifelike.bench.contestants import Subject
from lifelike.bundles import Bundle
from lifelike.networks.e4e import E4eSettings
from lifelike_protocol.errors import ErrorCode, LifelikeError

ANSWER_SECONDS = 900.0
"""For the slowest thing asked for: importing torch and building a large network on a busy machine."""
MARKS = {"stylegan2": "training/networks.py", "psp": "models/encoders/psp_encoders.py"}
"""The file by which each kind of checkout is known."""
NAMES = {"stylegan2": "stylegan2-ada-pytorch", "psp": "pixel2style2pixel"}
SCRIPT = Path(__file__).with_name("reference_process.py")


def kind_of(checkout: Path) -> str:
    """ "stylegan2" or "psp".

    Raises:
        LifelikeError: INVALID_SETTING for a folder that is no checkout of either.
    """
    for kind, mark in MARKS.items():
        if (checkout / mark).is_file():
            return kind
    what = "is no folder" if not checkout.is_dir() else f"holds neither {' nor '.join(MARKS.values())}"
    raise LifelikeError(
        ErrorCode.INVALID_SETTING,
        f"The reference {checkout} {what}.",
        f"Give a clone of {' or '.join(NAMES.values())}.",
    )


def suits(kind: str, subject: Subject) -> bool:
    """Whether a checkout of this kind has the subject's network."""
    if kind == "stylegan2":
        return subject.card.encoder is None
    encoder = subject.card.encoder
    return isinstance(encoder, E4eSettings) and encoder == E4eSettings(num_ws=encoder.num_ws)


class Reference:
    """One network of a checkout, ready to be timed. Use `with`.

    Args:
        checkout: its folder; nothing in it is changed.
        bundle: random weights of the subject, which it gets too.
        clock: how to time.
        threads: CPU threads of torch.

    Attributes:
        before: largest memory of its process with everything imported and nothing loaded, bytes.

    Raises:
        LifelikeError: INVALID_SETTING when the checkout doesn't work with this torch.
    """

    def __init__(self, checkout: Path, subject: Subject, bundle: Bundle, clock: Clock, threads: int) -> None:
        self.checkout = checkout
        self.before = 0
        self._folder = tempfile.TemporaryDirectory()
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-B", str(SCRIPT), str(checkout.resolve())],  # -B: leaves nothing in the checkout
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        try:
            self._load(subject, bundle, clock, threads)
        except BaseException:
            self.close()
            raise

    def _load(self, subject: Subject, bundle: Bundle, clock: Clock, threads: int) -> None:
        folder, kind = Path(self._folder.name), kind_of(self.checkout)
        save_file({name: value.contiguous() for name, value in _weights(kind, bundle).items()}, folder / "weights")
        save_file(subject.inputs("cpu"), folder / "inputs")
        settings = subject.card.generator if subject.card.encoder is None else subject.card.encoder
        answer = self._ask(
            do="load",
            kind=kind,
            settings=asdict(settings),
            weights=str(folder / "weights"),
            inputs=str(folder / "inputs"),
            threads=threads,
            device=clock.device,
            clock=clock.name,
        )
        self.before = int(answer["before"])

    def seconds(self) -> float:
        """Of one pass."""
        return float(self._ask(do="run")["seconds"])

    def output(self) -> Tensor:
        """What a pass gives, on the CPU."""
        file = Path(self._folder.name) / "output"
        self._ask(do="save", output=str(file))
        try:
            return load_file(file)["output"]
        except (OSError, SafetensorError, KeyError) as error:
            raise self._failed(str(error)) from error

    def peak_memory(self) -> int:
        """Largest memory of its process so far, bytes; 0 where the system does not tell."""
        return int(self._ask(do="memory")["peak"])

    def _ask(self, **request: Any) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        alarm = threading.Timer(ANSWER_SECONDS, self._process.kill)
        alarm.start()
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
            answer = json.loads(self._process.stdout.readline() or '{"error": "its process ended"}')
        except (OSError, ValueError) as error:
            raise self._failed(str(error)) from error
        finally:
            alarm.cancel()
        if "error" in answer:
            raise self._failed(answer["error"])
        return dict(answer)

    def _failed(self, why: str) -> LifelikeError:
        return LifelikeError(
            ErrorCode.INVALID_SETTING,
            f"The reference {self.checkout} does not work here ({' '.join(why.split())}).",
            "Give another checkout, or leave it out.",
        )

    def close(self) -> None:
        """End its process. May be called twice."""
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):  # a process that ended has nobody to read the rest
                    stream.close()
        self._process.kill()
        self._process.wait()
        self._folder.cleanup()

    def __enter__(self) -> Reference:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _weights(kind: str, bundle: Bundle) -> dict[str, Tensor]:
    """By the checkout's names, which ours follow but for the mean of w."""
    network = bundle.photo.synthesis if kind == "stylegan2" else bundle.needed_encoder()
    return {name: value.cpu() for name, value in network.state_dict().items() if name != "w_avg"}


def deviation(output: Tensor, expected: Tensor) -> float:
    """Largest difference in standard deviations of what is expected."""
    difference = (output.float().cpu() - expected.float().cpu()).abs().max()
    return float(difference / torch.clamp(expected.float().std(), min=1e-12))
