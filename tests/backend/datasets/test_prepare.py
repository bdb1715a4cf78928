# SPDX-License-Identifier: GPL-3.0-or-later
"""`lifelike dataset prepare` as a person types it: whole, continued after a kill, and refused in one sentence."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from PIL import Image
from portraits_in_scenes import framed, write_cases

from lifelike.commands.dataset_prepare import prepare
from lifelike.datasets.card import DataSetCard, card_text, read_card
from lifelike.datasets.dataset import open_dataset
from lifelike.datasets.preparation.examination import ENDED_PROCESS, NO_MEMORY, Work
from lifelike.datasets.preparation.journal import Journal
from lifelike.datasets.preparation.sources import Source, find_sources
from lifelike.datasets.preparation.thresholds import Reason, Thresholds
from lifelike.datasets.preparation.workers import Task, examine_all
from lifelike.datasets.record import from_line
from lifelike_protocol.errors import LifelikeError
from running_backend import END_SECONDS, START_SECONDS, environment, gone_within, wait_for
from small_bundle import small_bundle

Run = Callable[..., subprocess.CompletedProcess[str]]
EXPECTED = {"too small": 1, "blurred": 1, "cut off": 1, "faces too close": 2, "no face": 1, "unreadable": 1}
"""Rejections of the cases but for near-duplicates, of which there are many: all show the same three people."""


def command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "lifelike", "dataset", "prepare", *map(str, arguments)]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with loose pictures in ``loose``."""
    folder = tmp_path_factory.mktemp("prepare")
    write_cases(folder / "loose")
    return folder


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    home = tmp_path_factory.mktemp("home")

    def done(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
        finished = subprocess.run(
            command(*arguments),
            env={**environment(home), "COLUMNS": "200"},
            capture_output=True,
            text=True,
            timeout=2 * START_SECONDS,
        )
        assert "Traceback" not in finished.stdout + finished.stderr
        return finished

    return done


@pytest.fixture(scope="module")
def prepared(place: Path, run: Run) -> Path:
    """A data set of the loose pictures, made in one go."""
    options = ("--resolution", "128", "--workers", "2", "--name", "people", "--licence", "CC0-1.0")
    finished = run(place / "loose", "-o", place / "whole", *options)
    assert finished.returncode == 0, finished.stderr
    assert "kept" in finished.stdout
    return place / "whole"


def contents(folder: Path) -> dict[str, bytes]:
    """Every file that follows from the pictures alone, by name."""
    names = [folder / "dataset.jsonl", folder / "rejected.jsonl", *sorted((folder / "pictures").iterdir())]
    return {str(path.relative_to(folder)): path.read_bytes() for path in names}


def test_loose_pictures_become_a_data_set(prepared) -> None:
    dataset = open_dataset(prepared)
    pictures = dataset.pictures(128)
    assert dataset.problems == []
    assert len(pictures) == 3  # the three people, each once
    assert pictures.pixels.shape[1:] == (128, 128, 3)
    assert (abs(pictures.landmarks.mean(axis=(0, 1)) - 64) < 20).all()
    assert {file.name for file in (prepared / "pictures").iterdir()} == {
        Path(record.file).name for record in dataset.records
    }
    rejected = [json.loads(line) for line in (prepared / "rejected.jsonl").read_text().splitlines()]
    counts = Counter(row["reason"] for row in rejected)
    assert {reason: count for reason, count in counts.items() if reason != "near-duplicate"} == EXPECTED
    assert counts["near-duplicate"] >= 1
    assert "loose/damaged.png" in {row["source"] for row in rejected}
    card = read_card(prepared)
    assert (card.name, card.licence, card.resolution) == ("people", "CC0-1.0", 128)
    assert card.counts["pictures"] == len(dataset)
    assert card.counts["rejected"] == len(rejected)
    with Image.open(prepared / "contact_sheet.jpg") as sheet:
        assert sheet.width > 8 * 128
        assert sheet.height > 6 * 128


def test_a_killed_run_leaves_a_valid_set_and_continues_to_the_same(place, run, prepared) -> None:
    output = place / "killed"
    options = ("--resolution", "128", "--workers", "2", "--name", "people", "--licence", "CC0-1.0")
    process = subprocess.Popen(
        command(place / "loose", "-o", output, *options),
        env=environment(place),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    journal = output / "examined.jsonl"
    wait_for(lambda: journal.exists() and journal.read_bytes().count(b"\n") >= 3, "nothing was examined", START_SECONDS)
    children = psutil.Process(process.pid).children(recursive=True)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert all(gone_within(child.pid, END_SECONDS) for child in children)

    kept = [from_line(line) for line in (output / "dataset.jsonl").read_text().splitlines()]
    assert all((output / record.file).is_file() for record in kept)
    assert read_card(output).made_with == "dataset prepare"
    done = journal.read_text().count("\n")
    finished = run(place / "loose", "-o", output, *options)
    assert finished.returncode == 0, finished.stderr
    assert contents(output) == contents(prepared)
    examined = [json.loads(line)["source"] for line in journal.read_text().splitlines()]
    assert sorted(examined) == sorted(set(examined))
    assert len(examined) > done


def test_a_finished_set_is_left_as_it_is_and_a_lost_portrait_is_made_again(place, run, prepared) -> None:
    output = place / "again"
    shutil.copytree(prepared, output)
    (output / "examined.jsonl").chmod(0o644)
    before, journal = contents(output), (output / "examined.jsonl").read_bytes()
    options = ("--resolution", "128", "--workers", "1", "--name", "people", "--licence", "CC0-1.0")
    shutil.copy(place / "loose" / "plain.png", place / "plain_again.png")
    assert run(place / "loose", "-o", output, *options).returncode == 0
    assert contents(output) == before
    assert (output / "examined.jsonl").read_bytes() == journal
    next((output / "pictures").iterdir()).unlink()
    assert run(place / "loose", place / "plain_again.png", "-o", output, *options).returncode == 0
    after = contents(output)
    added = after.pop("rejected.jsonl").decode().splitlines()
    assert set(added) > set(before.pop("rejected.jsonl").decode().splitlines())
    assert any("plain_again.png" in line and "same file as" in line for line in added)
    assert after == before


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere", "-o", "out"], "There is no nowhere"),
        (["bare", "-o", "out"], "There is no picture in bare"),
        (["loose", "-o", "out", "--resolution", "300"], "300 pixels is no resolution"),
        (["loose", "-o", "bare"], "already holds files"),
        (["loose", "-o", "loose/plain.png"], "could not be written"),
        (["loose", "-o", "other"], "already holds another data set (it differs in resolution, most_blur)"),
        (["loose", "-o", "out", "--bundle", "nothing"], "There is no bundle 'nothing'"),
        (["loose", "-o", "out", "--bundle", "bundles/without.safetensors"], "has no landmark network"),
    ],
)
def test_what_cannot_be_is_said_in_one_sentence(place, prepared, arguments, words, monkeypatch, capsys) -> None:
    from lifelike import cli

    monkeypatch.chdir(place)
    (place / "bare").mkdir(exist_ok=True)
    (place / "bare" / "notes.txt").write_text("no picture")
    (place / "other").mkdir(exist_ok=True)
    settings = {**read_card(prepared).settings, "most_blur": 0.5}
    other = DataSetCard("other", "dataset prepare", 64, settings=settings)
    (place / "other" / "card.json").write_text(card_text(other), encoding="utf-8")
    if not (place / "bundles").exists():
        small_bundle().save(place / "bundles" / "without.safetensors")
    monkeypatch.setattr(sys, "argv", ["lifelike", "dataset", "prepare", *arguments])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 1
    said = capsys.readouterr().err
    assert words in said
    assert "Traceback" not in said
    assert not (place / "out" / "dataset.jsonl").exists()


def test_a_trial_looks_at_so_many_pictures_only_and_no_usable_face_is_said(place, tmp_path, run) -> None:
    (tmp_path / "loose").mkdir()
    framed().save(tmp_path / "loose" / "1_empty.png")
    shutil.copy(place / "loose" / "plain.png", tmp_path / "loose" / "2_plain.png")
    finished = run(tmp_path / "loose", "-o", tmp_path / "set", "--limit", "1", "--workers", "1")
    assert finished.returncode == 1
    assert "No face in the 1 pictures can be used" in finished.stderr
    assert len((tmp_path / "set" / "examined.jsonl").read_text().splitlines()) == 1


@pytest.mark.parametrize("package", ["imagehash", "skimage"])
def test_a_missing_package_is_named_with_its_remedy(place, monkeypatch, package) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(LifelikeError, match=f"{package} is missing") as caught:
        prepare([place / "loose"], place / "out")
    assert "lifelike[train]" in caught.value.remedy


def test_sources_have_names_of_their_own_and_leave_the_output_out(tmp_path) -> None:
    for name in ("a/x/1.png", "b/x/1.png", "b/x/set/pictures/2.png", "b/x/.hidden/3.png", "b/x/notes.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    places = [tmp_path / "a/x", tmp_path / "b/x", tmp_path / "b/x/1.png"]
    found = find_sources(places, tmp_path / "b/x/set")
    assert [source.name for source in found] == ["a/x/1.png", "b/x/1.png"]


class Killer(os.PathLike):
    """A file whose reading ends the process, as a fault in a decoder's own code would."""

    def __fspath__(self) -> str:
        os._exit(9)


class Hungry(os.PathLike):
    """A file that needs more memory than there is."""

    def __fspath__(self) -> str:
        raise MemoryError


def test_a_picture_that_ends_its_process_is_named_and_the_others_go_on(place, tmp_path) -> None:
    names = ["empty", "damaged", "killer", "hungry", "cut"]
    paths = {name: place / "loose" / f"{name}.png" for name in names} | {"killer": Killer(), "hungry": Hungry()}
    tasks = [Task(Source(paths[name], name), f"{index:064x}") for index, name in enumerate(names)]
    found = {one.source: one for one in examine_all(tasks, Work(tmp_path, 64, Thresholds(), "builtin"), 1)}
    assert {name: found[name].reason for name in names[:3]} == {
        "empty": Reason.NO_FACE,
        "damaged": Reason.UNREADABLE,
        "killer": Reason.UNREADABLE,
    }
    assert found["killer"].detail == ENDED_PROCESS
    assert found["hungry"].detail == NO_MEMORY
    assert found["cut"].faces[0].reason is Reason.CUT_OFF
    journal = Journal(tmp_path)
    for examination in found.values():
        journal.add(examination)
    assert sorted(Journal(tmp_path).entries) == ["cut", "damaged", "empty"]  # the others get another chance
