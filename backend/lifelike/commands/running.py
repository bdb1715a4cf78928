# SPDX-License-Identifier: GPL-3.0-or-later
"""`lifelike status` and `lifelike stop`: look at and end a running backend."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import psutil
import typer
from attrs import asdict
from rich.console import Console
from rich.table import Table

from lifelike_protocol.client import Client
from lifelike_protocol.errors import ErrorCode, LifelikeError
from lifelike_protocol.messages import Status

STOP_SECONDS = 10.0

ConnectionFile = Annotated[
    Path | None, typer.Option(help="The backend's connection file. Default: the one this user's backend writes.")
]


def status(
    connection_file: ConnectionFile = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Show what the running backend does."""
    with Client.connect(connection_file, name="lifelike status") as client:
        answer = client.status()
    if as_json:
        print(json.dumps(asdict(answer), indent=2))
    else:
        Console().print(_table(answer))


def _table(answer: Status) -> Table:
    table = Table(show_header=False, box=None)
    rows = {
        "working on": answer.working_on or "nothing",
        "waiting": str(answer.queued),
        "device": answer.device,
        "bundles loaded": ", ".join(answer.loaded_bundles) or "none",
        "bundles found": ", ".join(bundle.name for bundle in answer.bundles) or "none",
        "memory": f"{answer.memory_bytes / 2**20:.0f} MB",
        "running for": f"{answer.uptime:.0f} s",
        "process": str(answer.pid),
        "log file": answer.log_file,
        "versions": ", ".join(f"{name} {number}" for name, number in answer.versions.items()),
    }
    for name, value in rows.items():
        table.add_row(name, value)
    return table


def stop(connection_file: ConnectionFile = None) -> None:
    """End the running backend."""
    with Client.connect(connection_file, name="lifelike stop") as client:
        pid = client.status().pid
        client.shutdown()
    if not ended_within(pid, STOP_SECONDS):
        raise LifelikeError(
            ErrorCode.TIMEOUT, f"The backend (process {pid}) runs on after {STOP_SECONDS:.0f} s.", "End that process."
        )
    print("The backend has ended.")


def ended_within(pid: int, seconds: float) -> bool:
    """Whether the process ends in time; one that only waits for its parent to look counts as ended."""
    try:
        process = psutil.Process(pid)
        process.wait(seconds)
    except psutil.NoSuchProcess:
        return True
    except psutil.TimeoutExpired:
        return bool(process.status() == psutil.STATUS_ZOMBIE)
    return True
