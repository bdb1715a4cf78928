# SPDX-License-Identifier: GPL-3.0-or-later
"""One Blender at work: JSON commands in, JSON answers out, a limit on every wait, gone with this process."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

from lifelike.datasets.rendering.blender import Blender, environment
from lifelike_protocol.errors import ErrorCode, LifelikeError
from lifelike_protocol.messages import Array

Locate = Callable[[Path], "Array | None"]

START_SECONDS = 1800.0
"""For starting Blender and opening a scene: large ones from a slow disk, on a busy machine, take many minutes."""
_END_SECONDS = 5.0
_KEPT_BYTES = 1_000_000
"""Of what Blender prints; it has a line for each sample."""


class BlenderGone(LifelikeError):
    """Blender ended by itself or had to be ended. silent: it was given up after a time limit."""

    def __init__(self, what: str, remedy: str, silent: bool = False) -> None:
        super().__init__(ErrorCode.BACKEND_GONE, what, remedy)
        self.silent = silent

    def __reduce__(self) -> tuple[Any, ...]:
        return (BlenderGone, (self.what, self.remedy, self.silent))


class BlenderProcess:
    """A running Blender. Use as a context manager; leaving ends it.

    Args:
        blender: which.
        locate: looks for a face in a picture file when Blender asks.
    """

    def __init__(self, blender: Blender, locate: Locate) -> None:
        self._blender = blender
        self._locate = locate
        self._answers: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._said = tempfile.TemporaryFile(mode="w+b")  # noqa: SIM115  closed by `end`
        try:
            self._process = subprocess.Popen(
                blender.command(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._said,
                env=environment(),
                # Ctrl-C in a terminal goes to this process alone, which ends Blender in its own time.
                start_new_session=os.name == "posix",
                creationflags=0 if os.name == "posix" else getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
            )
        except OSError as error:
            self._said.close()
            raise BlenderGone(
                f"{blender.program} could not be started ({error.strerror or error}).", "Check --blender."
            ) from error
        threading.Thread(target=self._read, daemon=True).start()

    def __enter__(self) -> BlenderProcess:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.end()

    def end(self) -> None:
        """Ends Blender, whatever it is doing."""
        if self._process.poll() is None:
            # A closed input makes it leave at once; killing is for one that hangs.
            with contextlib.suppress(OSError):
                self._process.stdin.close()  # type: ignore[union-attr]
            try:
                self._process.wait(_END_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait(_END_SECONDS)
        self._said.close()

    def kill(self) -> None:
        """Ends Blender at once; for another thread than the one that asks it."""
        self._process.kill()

    def open(self, command: dict[str, Any]) -> dict[str, Any]:
        """Opens a scene; see `blender_addon/dataset/session.py`. Errors as `shoot`."""
        return self._ask(command, "opened", START_SECONDS)

    def shoot(self, number: int, folder: Path, seconds: float) -> dict[str, Any]:
        """Takes one shot of the open scene.

        Args:
            folder: absolute; for the pictures.
            seconds: after which Blender is given up.

        Raises:
            BlenderGone: it crashed or took too long. LifelikeError: it says why it cannot.
        """
        answer = self._ask({"shoot": number, "folder": str(folder)}, "shot", seconds)
        if os.fstat(self._said.fileno()).st_size > _KEPT_BYTES:
            # Blender writes where this leaves the file's position: both have the same.
            self._said.seek(0)
            self._said.truncate()
        return answer

    def _ask(self, command: dict[str, Any], wanted: str, seconds: float) -> dict[str, Any]:
        self._send(command)
        while True:
            try:
                answer = self._answers.get(timeout=seconds)
            except queue.Empty:
                self._process.kill()
                raise BlenderGone(
                    f"Blender did not answer for {seconds:.0f} s.", "Allow more with --shot-timeout.", silent=True
                ) from None
            if answer is None:
                raise self._crashed()
            if "failed" in answer:
                failed = answer["failed"]
                raise LifelikeError(ErrorCode(failed["code"]), failed["what"], failed["remedy"])
            if "locate" in answer:
                found = self._locate(Path(answer["locate"]))
                self._send({"landmarks": None if found is None else found.tolist()})
            elif wanted in answer:
                result: dict[str, Any] = answer[wanted]
                return result

    def _send(self, command: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(command).encode() + b"\n")
            self._process.stdin.flush()
        except (OSError, ValueError) as error:
            raise self._crashed() from error

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            # Before the script takes the stream over, Blender greets.
            with contextlib.suppress(ValueError):
                answer = json.loads(line)
                if isinstance(answer, dict):
                    self._answers.put(answer)
        self._answers.put(None)

    def _crashed(self) -> BlenderGone:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_END_SECONDS)
        last = self.last_words()
        said = f": {last}" if last else ""
        return BlenderGone(
            f"Blender {self._blender.version} ended with status {self._process.poll()}{said}",
            "Render the scene in Blender once to see what is wrong.",
        )

    def last_words(self) -> str:
        """The last line that Blender printed and that says something."""
        self._said.seek(0, os.SEEK_END)
        self._said.seek(max(0, self._said.tell() - 4000))
        lines = [line.strip() for line in self._said.read().decode("utf-8", "replace").splitlines() if line.strip()]
        errors = [line for line in lines if "Error" in line or "error" in line]
        return (errors or lines or [""])[-1][:300]
