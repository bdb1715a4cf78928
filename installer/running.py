# SPDX-License-Identifier: GPL-3.0-or-later
"""Other programs: run them, keep what they say in a log, and turn their failures into one sentence."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from .lock import inherited
from .refusal import Refusal, of_system_error

_OFFLINE = re.compile(
    r"name resolution|getaddrinfo failed|nodename nor servname|NewConnectionError|Failed to establish a new connection"
    r"|Network is unreachable|ConnectTimeout|Read timed out|ProxyError|Connection refused|ConnectionResetError"
    r"|No route to host|Could not resolve host",
    re.IGNORECASE,
)
_NOT_TRUSTED = re.compile(r"CERTIFICATE_VERIFY_FAILED|certificate verify failed")
_FULL = re.compile(r"No space left on device|not enough space on the disk|Disk quota exceeded", re.IGNORECASE)
_NO_MATCH = re.compile(r"No matching distribution found for ([^\s(;]+)")
_VARIABLES_OF_OTHER_PYTHONS = ("PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "__PYVENV_LAUNCHER__")


class Failed(Refusal):
    """A program ended badly. output: what it said."""

    def __init__(self, sentence: str, output: str) -> None:
        super().__init__(sentence)
        self.output = output


def run(
    command: Sequence[str | Path],
    what: str,
    log: Path,
    on_line: Callable[[str], None] | None = None,
    environment: Mapping[str, str] | None = None,
) -> str:
    """Runs a program to its end and returns what it printed; `log` keeps it, too.

    Args:
        what: names the step in the sentence of a failure.
        on_line: is shown each line as it comes.
        environment: variables to add; an empty value removes one.

    Raises:
        Failed: it cannot be started, or ends with another status than 0.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    said = []
    try:
        process = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
            env=clean_environment(environment or {}),
            pass_fds=inherited() if os.name == "posix" else (),
        )
    except OSError as error:
        raise Failed(f"{what} failed: {command[0]} cannot be run ({error.strerror or error}).", "") from error
    with process, log.open("w", encoding="utf-8") as file:
        assert process.stdout is not None
        try:
            for line in process.stdout:
                said.append(line)
                file.write(line)
                if on_line:
                    on_line(line.strip())
        except BaseException:
            process.kill()
            raise
    output = "".join(said)
    if process.returncode:
        raise Failed(reason(what, output, log), output)
    return output


def clean_environment(added: Mapping[str, str]) -> dict[str, str]:
    """This process's variables without those that would lead another Python astray, and with those in `added`."""
    environment = {name: value for name, value in os.environ.items() if name not in _VARIABLES_OF_OTHER_PYTHONS}
    environment |= {"PYTHONUNBUFFERED": "1", "PYTHONUTF8": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1", **added}
    return {name: value for name, value in environment.items() if value}


def reason(what: str, output: str, log: Path) -> str:
    """One sentence about why a program failed, from what it said."""
    if _FULL.search(output):
        return f"{what} failed because the disk is full: free some space and run the same command again."
    if _NOT_TRUSTED.search(output):
        return f"{what} failed because the package index could not be trusted: check this machine's certificates."
    if _OFFLINE.search(output):
        return f"{what} failed because the network cannot be reached: connect (or set pip's proxy) and run it again."
    missing = _NO_MATCH.search(output)
    if missing:
        return f"{what} failed because {missing[1]} is not available for this Python and system (log: {log})."
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if re.match(r"(ERROR|Error|error)\b|\w*Error:", line)]
    last = (errors or lines or ["it said nothing"])[-1]
    return f"{what} failed: {last[:300]} (log: {log})"


def answer(command: Sequence[str | Path], timeout: float = 60.0) -> str | None:
    """What a short command prints, or None when it fails, hangs or does not exist."""
    try:
        done = subprocess.run(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
            check=False,
            env=clean_environment({}),
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


def guarded(main: Callable[[], int]) -> int:
    """Runs `main`; a refusal, a full disk and Ctrl-C each end in one sentence and a status."""
    try:
        return main()
    except Refusal as refusal:
        return _say(str(refusal), 1)
    except OSError as error:
        return _say(str(of_system_error(error)), 1)
    except KeyboardInterrupt:
        return _say("Stopped. The same command carries on from here.", 130)


def _say(sentence: str, status: int) -> int:
    print(f"\n{sentence}", file=sys.stderr, flush=True)
    return status
