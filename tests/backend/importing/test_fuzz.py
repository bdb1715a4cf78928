# SPDX-License-Identifier: GPL-3.0-or-later
"""Thousands of mutations of valid files: each is read or refused in a sentence, and nothing else happens."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
COUNT = int(os.environ.get("LIFELIKE_MUTATIONS", "2000"))
"""More, for an hour of searching: LIFELIKE_MUTATIONS=100000, with another LIFELIKE_MUTATIONS_SEED each time."""
SEED = os.environ.get("LIFELIKE_MUTATIONS_SEED", "4")
GROWTH = 128 << 20
"""Bytes that memory may grow by; the files have less than a megabyte each."""


@pytest.mark.skipif(sys.platform == "win32", reason="limits on memory are not set for processes on Windows")
@pytest.mark.timeout(max(300, COUNT // 10))
def test_mutations_neither_crash_nor_run_code_nor_fill_the_memory(tmp_path: Path) -> None:
    places = [str(HERE), str(HERE.parents[1]), *sys.path]
    ended = subprocess.run(
        [sys.executable, str(HERE / "mutating.py"), str(tmp_path), str(COUNT), SEED],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, places)), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=max(280, COUNT // 11),
        check=False,
    )
    assert ended.returncode == 0, ended.stderr[-2000:]
    report = json.loads(ended.stdout)
    assert report["failures"] == []
    assert report["events"] == {}
    assert not report["canary"]
    assert report["grown"] < GROWTH
    assert report["results"]["refused"] > COUNT // 2
    assert report["results"]["read"] > COUNT // 50, "mutations so coarse that none gets through show little"
