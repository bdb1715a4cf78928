# SPDX-License-Identifier: GPL-3.0-or-later
"""The installer's environments: made once, made anew when killed or broken, never over somebody's files."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY))

from installer import environment  # noqa: E402
from installer.lock import locked  # noqa: E402
from installer.progress import Step  # noqa: E402
from installer.refusal import Refusal  # noqa: E402

HALF_WAY = """
import sys, time
from pathlib import Path
from installer import environment
from installer.progress import Step

def fill(python):
    (folder / "half a package").write_text("")
    print("half-way", flush=True)
    time.sleep(600)

folder = Path(sys.argv[1])
environment.ensure(folder, Path(sys.executable), "wanted", fill, Step("environment"))
"""


class Filling:
    """Counts how often an environment was filled."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self, python: Path) -> None:
        assert python.exists()
        self.times += 1


def ensure(folder: Path, filling: Filling, wanted: str = "wanted", as_good: tuple[str, ...] = ()) -> Path:
    return environment.ensure(folder, Path(sys.executable), wanted, filling, Step("environment"), as_good)


def test_an_environment_is_filled_once_and_again_when_something_else_is_wanted(tmp_path: Path) -> None:
    filling = Filling()
    python = ensure(tmp_path / "env", filling)
    assert subprocess.run([python, "-c", "import pip"], check=False).returncode == 0
    ensure(tmp_path / "env", filling)
    ensure(tmp_path / "env", filling, wanted="less", as_good=("wanted",))
    assert filling.times == 1
    ensure(tmp_path / "env", filling, wanted="something newer")
    assert filling.times == 2


@pytest.mark.skipif(os.name == "nt", reason="kills with a signal that Windows lacks")
def test_what_a_killed_run_left_is_made_anew(tmp_path: Path) -> None:
    folder = tmp_path / "env"
    process = subprocess.Popen(
        [sys.executable, "-c", HALF_WAY, str(folder)], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout is not None
        assert any("half-way" in line for line in process.stdout)
        process.send_signal(signal.SIGKILL)
    assert environment.stamped(folder) is None
    filling = Filling()
    ensure(folder, filling)
    assert filling.times == 1
    assert not (folder / "half a package").exists()
    assert environment.stamped(folder) == "wanted"


@pytest.mark.skipif(os.name == "nt", reason="the lock is inherited on POSIX systems only")
def test_a_program_that_outlives_its_killed_installer_still_holds_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "env"
    orphan = "import time; print('holds', flush=True); time.sleep(600)"
    script = (
        "import os, sys; from pathlib import Path\n"
        "from installer.lock import locked; from installer.running import run\n"
        f"with locked(Path({str(folder)!r})):\n"
        f"    run([sys.executable, '-c', 'import os; print(os.getpid(), flush=True); ' + {orphan!r}], 'x', "
        f"Path({str(tmp_path / 'log')!r}), lambda line: print(line, flush=True))\n"
    )
    process = subprocess.Popen([sys.executable, "-c", script], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    pid = int(process.stdout.readline())
    try:
        process.kill()
        process.wait()
        with pytest.raises(Refusal, match="Another installation"), locked(folder, wait=0.5):
            pass
    finally:
        os.kill(pid, signal.SIGKILL)
        process.stdout.close()
    with locked(folder, wait=30.0):
        assert environment.stamped(folder) is None


def test_an_environment_whose_python_is_gone_is_made_anew(tmp_path: Path) -> None:
    filling = Filling()
    python = ensure(tmp_path / "env", filling)
    python.unlink()
    assert environment.stamped(tmp_path / "env") is None
    assert ensure(tmp_path / "env", filling).exists()
    assert filling.times == 2


def test_a_folder_that_is_no_environment_is_left_alone(tmp_path: Path) -> None:
    work = tmp_path / "env" / "somebody's work"
    work.parent.mkdir()
    work.write_text("precious")
    with pytest.raises(Refusal, match="in the way"):
        ensure(tmp_path / "env", Filling())
    assert work.read_text() == "precious"


@pytest.mark.skipif(os.name == "nt", reason="a script cannot stand for a program on Windows")
def test_a_python_without_venv_is_told_what_to_install(tmp_path: Path) -> None:
    lacking = tmp_path / "python3"
    # As Debian ships it: the interpreter is there, its ensurepip module is a package of its own.
    lacking.write_text(f'#!/bin/sh\ncase "$2" in *ensurepip*) exit 1;; esac\nexec "{sys.executable}" "$@"\n')
    lacking.chmod(0o755)
    with pytest.raises(Refusal, match=rf"venv module.*python{sys.version_info[0]}\.{sys.version_info[1]}-venv"):
        environment.create(tmp_path / "env", lacking)


def test_too_little_disk_is_told_before_anything_is_fetched(tmp_path: Path) -> None:
    environment.require_space(tmp_path / "not yet" / "there", 0.0)
    with pytest.raises(Refusal, match=r"needs 1000000000\.0 GB of disk, and only"):
        environment.require_space(tmp_path / "not yet" / "there", 1e9)
