# SPDX-License-Identifier: GPL-3.0-or-later
"""Training runs that are killed, stopped, starved of disk or diverge: real processes, real files."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import filelock
import pytest
import torch
from rich.console import Console
from training_runs import drawn_pictures, newest_checkpoint, same, scalars, tiny_changes, tiny_settings

from lifelike.training.networks import load_generator
from lifelike.training.photo.task import PhotoTask
from lifelike.training.run import run_task
from lifelike.training.run_folder import CONFIG
from lifelike.training.stopping import MINUTES_OVER
from lifelike_protocol.errors import ErrorCode, LifelikeError

QUIET = Console(quiet=True)
SAVED = "run.save_every=40"


pytestmark = pytest.mark.timeout(900)  # processes that start many times, on machines that may be busy


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    return drawn_pictures(tmp_path / "pictures")


def start(run: Path, changes: list[str], *options: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "lifelike", "train", "photo", "--run", str(run), *options]
    for change in changes:
        command += ["--set", change]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def wait_for_lines(run: Path, count: int, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 200
    while time.monotonic() < deadline and process.poll() is None:
        file = run / "scalars.jsonl"
        if file.exists() and file.read_bytes().count(b"\n") >= count:
            return
        time.sleep(0.01)


def test_a_run_killed_at_any_moment_comes_to_the_same_numbers(tmp_path: Path, pictures: Path) -> None:
    changes = tiny_changes(pictures, "run.pictures=600", SAVED, "run.scalars_every=12", "ada.pictures=2000")
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    assert start(whole, changes).wait(200) == 0
    moments = random.Random(4)
    for lines, how in ((2, signal.SIGKILL), (14, signal.SIGTERM), (26, signal.SIGKILL)):
        process = start(broken, changes)
        wait_for_lines(broken, lines, process)
        time.sleep(moments.uniform(0, 0.2))
        process.send_signal(how)
        said, _ = process.communicate(timeout=120)
        if how is signal.SIGTERM:
            assert process.returncode == 143
            assert said.strip().splitlines()[-1].startswith("Stopped (SIGTERM) at ")
        else:
            assert process.returncode == -signal.SIGKILL
    said, _ = start(broken, changes).communicate(timeout=240)
    assert "Continuing at step" in said
    assert [line["pictures"] for line in scalars(whole)] == list(range(12, 601, 12))
    assert scalars(broken) == scalars(whole)
    assert same(newest_checkpoint(broken), newest_checkpoint(whole))
    assert not list(broken.rglob("*.partial"))


def test_minutes_that_are_over_leave_a_run_to_be_continued(tmp_path: Path, pictures: Path) -> None:
    settings = tiny_settings(pictures, "run.pictures=40", SAVED)
    assert run_task(PhotoTask, settings, tmp_path / "run", QUIET, stop_after=0.0) == MINUTES_OVER
    assert newest_checkpoint(tmp_path / "run")["step"] == 1
    assert run_task(PhotoTask, settings, tmp_path / "run", QUIET) == ""
    assert newest_checkpoint(tmp_path / "run")["pictures"] == 40


def test_what_diverges_stops_with_its_step_named_and_the_last_checkpoint_kept(tmp_path: Path, pictures: Path) -> None:
    run = tmp_path / "run"
    run_task(PhotoTask, tiny_settings(pictures, "run.pictures=40", SAVED), run, QUIET)
    (run / CONFIG).write_text((run / CONFIG).read_text().replace("_rate = 0.0025", "_rate = 1e30"))
    state = torch.load(run / "checkpoints/00000040.pt", weights_only=True)
    for optimiser in ("generator_descent", "discriminator_descent"):
        state["task"][optimiser]["param_groups"][0]["lr"] = 1e30
    torch.save(state, run / "checkpoints/00000040.pt")
    rates = ("adversarial.learning_rate=1e30", "adversarial.discriminator_rate=1e30")
    with pytest.raises(LifelikeError, match=r"diverged at step 1\d, .* is not finite") as caught:
        run_task(PhotoTask, tiny_settings(pictures, "run.pictures=400", SAVED, *rates), run, QUIET)
    assert "The checkpoint at 40 pictures is kept" in str(caught.value)
    assert newest_checkpoint(run)["pictures"] == 40
    assert [line["pictures"] for line in scalars(run)] == [40]


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Writing beyond `size` bytes fails in this process, as it does on a full disk."""
    import resource  # not on Windows

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.skipif(sys.platform == "win32", reason="needs limits of a process")
@pytest.mark.parametrize("too_large", ["photo.safetensors", "checkpoints/00000040.pt"])
def test_a_full_disk_loses_nothing_that_was_there(tmp_path: Path, pictures: Path, too_large: str) -> None:
    run = tmp_path / "run"
    run_task(PhotoTask, tiny_settings(pictures, "run.pictures=40", SAVED), run, QUIET)
    before = {file: file.read_bytes() for file in run.rglob("*") if file.suffix in (".pt", ".png")}
    limit = (run / too_large).stat().st_size * 9 // 10
    longer = tiny_settings(pictures, "run.pictures=120", SAVED)
    with largest_file(limit), pytest.raises(LifelikeError, match="could not be written at 80 pictures") as caught:
        run_task(PhotoTask, longer, run, QUIET)
    assert caught.value.code is ErrorCode.INVALID_FILE
    assert "it continues from 40 pictures" in str(caught.value)
    assert {file: file.read_bytes() for file in before} == before
    assert not list(run.rglob("*.partial"))
    load_generator(run)
    run_task(PhotoTask, longer, run, QUIET)
    assert [line["pictures"] for line in scalars(run)] == [40, 120]


def test_only_one_process_trains_in_a_folder(tmp_path: Path, pictures: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    with filelock.FileLock(run / ".lock"), pytest.raises(LifelikeError, match="Another process is training in"):
        run_task(PhotoTask, tiny_settings(pictures), run, QUIET)
    assert not (run / CONFIG).exists()


def test_a_folder_with_other_settings_is_refused_and_a_longer_run_is_not(tmp_path: Path, pictures: Path) -> None:
    run = tmp_path / "run"
    run_task(PhotoTask, tiny_settings(pictures, "run.pictures=8"), run, QUIET)
    with pytest.raises(LifelikeError, match=r"other settings: adversarial\.path_weight was 2\.0 and is now 3\.0\."):
        run_task(PhotoTask, tiny_settings(pictures, "run.pictures=8", "adversarial.path_weight=3"), run, QUIET)
    run_task(PhotoTask, tiny_settings(pictures, "run.pictures=16", "run.keep=5", "run.save_every=4"), run, QUIET)
    assert newest_checkpoint(run)["pictures"] == 16


def _of_another_kind(run: Path) -> None:
    versions = json.loads((run / "versions.json").read_text())
    (run / "versions.json").write_text(json.dumps({**versions, "kind": "encoder"}))


def _of_another_size(run: Path) -> None:
    file = run / "checkpoints/00000008.pt"
    state = torch.load(file, weights_only=True)
    state["task"]["generator"]["mapping.fc0.weight"] = torch.zeros(3, 3)
    torch.save(state, file)


def _damaged(run: Path) -> None:
    file = run / "checkpoints/00000008.pt"
    file.write_bytes(file.read_bytes()[:-2000])


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (_of_another_kind, r"holds a run of kind 'encoder', not 'photo'\."),
        (_of_another_size, r"newest checkpoint does not fit these settings: size mismatch for mapping\.fc0\.weight"),
        (_damaged, r"00000008\.pt cannot be read"),
    ],
)
def test_a_folder_that_does_not_fit_is_named(
    tmp_path: Path, pictures: Path, spoil: Callable[[Path], None], told: str
) -> None:
    run = tmp_path / "run"
    settings = tiny_settings(pictures, "run.pictures=8")
    run_task(PhotoTask, settings, run, QUIET)
    spoil(run)
    with pytest.raises(LifelikeError, match=told):
        run_task(PhotoTask, settings, run, QUIET)
