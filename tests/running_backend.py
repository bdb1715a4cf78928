# SPDX-License-Identifier: GPL-3.0-or-later
"""A real backend process for tests: started, watched and ended, with every wait bounded."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from lifelike.commands.running import ended_within as gone_within
from lifelike_protocol.client import Client
from lifelike_protocol.connection import ConnectionInfo, read_connection_file
from lifelike_protocol.messages import Progress, Stage

__all__ = ["RunningBackend", "environment", "gone_within", "wait_for", "wait_until_working"]

REPOSITORY = Path(__file__).resolve().parents[1]

# Upper limits that only a hang reaches; nothing is timed against them.
START_SECONDS = 120.0
END_SECONDS = 30.0

STEPS = [Stage.LOCATE, Stage.ALIGN, Stage.INVERT, Stage.TRANSFER, Stage.COMPOSITE]


def environment(home: Path) -> dict[str, str]:
    """The environment of a process that keeps all its files under `home` and sees this checkout's packages."""
    paths = [str(REPOSITORY / "shared"), str(REPOSITORY / "backend"), os.environ.get("PYTHONPATH", "")]
    return {
        **os.environ,
        "LIFELIKE_HOME": str(home),
        "PYTHONPATH": os.pathsep.join(path for path in paths if path),
        # Several backends run beside each other in the tests; each with all cores would only be slower.
        "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "2"),
        # Each has a new cache, and would compile its own kernels; tests/backend/execution does that once.
        "LIFELIKE_COMPILE": "0",
    }


class RunningBackend:
    """`lifelike serve` as a process of its own.

    Args:
        home: where it keeps its files.
        options: more arguments of `lifelike serve`.
    """

    def __init__(self, home: Path, *options: str) -> None:
        self.home = home
        self.connection_file = home / "connection.json"
        self.log_file = home / "backend.log"
        command = [sys.executable, "-m", "lifelike", "serve", "--connection-file", str(self.connection_file)]
        command += ["--log-file", str(self.log_file), "--device", "cpu", *options]
        self.process = subprocess.Popen(
            command, env=environment(home), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def wait_until_ready(self) -> str:
        """The line it prints when clients can connect; fails with what it said when it ends instead."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line.startswith("ready "), f"the backend did not start: {self.last_words()}"
        return line.strip()

    def last_words(self) -> str:
        """What it wrote to its standard error, once it has ended."""
        self.process.wait(START_SECONDS)
        assert self.process.stderr is not None
        return self.process.stderr.read()

    def connect(self, name: str = "test") -> Client:
        """A new client; generous with time because machines that test are busy."""
        return Client.connect(self.connection_file, timeout=START_SECONDS, name=name)

    @property
    def info(self) -> ConnectionInfo:
        """What its connection file says."""
        return read_connection_file(self.connection_file)

    @property
    def log(self) -> str:
        """Its log so far."""
        return self.log_file.read_text(encoding="utf-8")

    def refusal(self) -> str:
        """What it said when it would not start; fails when it did start."""
        assert self.process.wait(START_SECONDS) == 1, "it was to refuse, and didn't"
        said = self.last_words().strip()
        assert "Traceback" not in said
        return said

    def wait_until_ended(self, seconds: float = END_SECONDS) -> int:
        """Its exit status; raises subprocess.TimeoutExpired when it still runs after `seconds`."""
        return self.process.wait(seconds)

    def end(self) -> None:
        """Make sure it is gone."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(END_SECONDS)
        for stream in (self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()


def wait_for(condition: Callable[[], bool], otherwise: str, seconds: float = 60.0) -> None:
    """Return once `condition` holds; fail with `otherwise` when it doesn't within `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, otherwise
        time.sleep(0.05)


def wait_until_working(client: Client, job: str) -> None:
    """Return once the pipeline has begun on `job`."""
    for event in client.events(job):
        assert isinstance(event, Progress), "the picture was done before it could be looked at"
        if event.stage in STEPS:
            return
