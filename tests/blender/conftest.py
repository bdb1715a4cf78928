# SPDX-License-Identifier: GPL-3.0-or-later
"""Real Blender for the tests: one `bpy` interpreter for each version, run as a separate process.

LIFELIKE_BPY_PYTHONS names them: `4.2=/path/to/python` and so on, separated as PATH is. A script in `scripts/`
runs once for each version and writes what it measured as JSON; the tests judge the numbers.
"""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from extension import VERSIONS, bpy_python, build_extension

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


@pytest.fixture(scope="session")
def extension(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The extension's zip, built once for all tests."""
    return build_extension(tmp_path_factory.mktemp("extension"))


@pytest.fixture(scope="session")
def _blenders() -> dict[str, Blender]:
    return {}


@pytest.fixture(params=VERSIONS)
def blender(
    request: pytest.FixtureRequest, _blenders: dict[str, Blender], tmp_path_factory: pytest.TempPathFactory
) -> Blender:
    """Each Blender the tests know, in turn; skips where there is none."""
    version: str = request.param
    python = str(bpy_python(version))
    if version not in _blenders:
        shared = Path(os.environ.get("LIFELIKE_SHARED", REPOSITORY.parent / "shared"))
        _blenders[version] = Blender(version, python, tmp_path_factory.mktemp("blender"), shared)
    return _blenders[version]
