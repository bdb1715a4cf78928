# SPDX-License-Identifier: GPL-3.0-or-later
"""One version of Blender without windows, run as a process of its own for each script of `scripts/`."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
SCRIPTS = Path(__file__).resolve().parent / "scripts"
TIMEOUT = 600  # seconds; machines without a GPU that do other work too take minutes


@dataclass
class Blender:
    """One version of Blender without windows."""

    version: str
    python: str
    work: Path
    shared: Path
    _reports: dict[str, Any] = field(default_factory=dict)

    def report(self, script: str) -> Any:
        """What `scripts/<script>.py` measured in this version; run once a session.

        Fails the test with the end of the script's output when it does not finish.
        """
        if script not in self._reports:
            self._reports[script] = self._run(script)
        report = self._reports[script]
        if isinstance(report, str):
            pytest.fail(report)
        return report

    def _run(self, script: str) -> Any:
        """The script's report, or a text that says why there is none."""
        folder = self.work / f"{script}-{self.version}"
        folder.mkdir(parents=True)
        target = folder / "report.json"
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(REPOSITORY / "shared"), str(SCRIPTS)]),
            "LIFELIKE_SHARED": str(self.shared),
            "BLENDER_USER_RESOURCES": str(folder / "user"),
        }
        environment.setdefault("LIBGL_ALWAYS_SOFTWARE", "1")
        command = [self.python, str(SCRIPTS / f"{script}.py"), str(target)]
        try:
            done = subprocess.run(
                command, cwd=folder, env=environment, capture_output=True, text=True, timeout=TIMEOUT, check=False
            )
        except subprocess.TimeoutExpired:
            return f"{script} in Blender {self.version} took longer than {TIMEOUT} s"
        if not target.exists():
            output = (done.stdout + done.stderr)[-4000:]
            return f"{script} in Blender {self.version} ended with {done.returncode} before its report:\n{output}"
        return json.loads(target.read_text(encoding="utf-8"))
