# SPDX-License-Identifier: GPL-3.0-or-later
"""Every format of data set is read, and whatever is wrong in one is named and survived."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image

from lifelike.datasets import storage
from lifelike.datasets.dataset import open_dataset
from lifelike.datasets.record import Record, to_line
from lifelike_protocol.errors import ErrorCode, LifelikeError
from made_up_pairs import write_pairs
from running_backend import environment


def save(path: Path, level: int, size: int = 8) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (size, size), (level, level, level)).save(path)


def write_ada(folder: Path, labels: object = None) -> None:
    """A folder as dataset_tool.py of stylegan2-ada-pytorch leaves it, before it is zipped."""
    for index in range(3):
        save(folder / "00000" / f"img{index:08d}.png", index * 50)
    (folder / "dataset.json").write_text(json.dumps({"labels": labels}), encoding="utf-8")


def zipped(folder: Path, file: Path) -> Path:
    """Stored, not deflated, as dataset_tool.py does."""
    with zipfile.ZipFile(file, "w", compression=zipfile.ZIP_STORED) as target:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                target.write(path, path.relative_to(folder).as_posix())
    return file


LABELS = [[f"00000/img{index:08d}.png", 2 - index] for index in range(3)]


@pytest.mark.parametrize("as_zip", [False, True])
@pytest.mark.parametrize("cached", [False, True])
def test_ada_sets_come_with_their_labels(tmp_path, as_zip, cached) -> None:
    write_ada(tmp_path / "set", LABELS)
    path = zipped(tmp_path / "set", tmp_path / "set.zip") if as_zip else tmp_path / "set"
    dataset = open_dataset(path)
    pictures = dataset.pictures(4, cache=tmp_path / "cache" if cached else None)
    assert [record.attributes["label"] for record in pictures.records] == [2, 1, 0]
    assert pictures.pixels[:, 0, 0, 0].tolist() == [0, 50, 100]
    assert pictures.pixels.shape == (3, 4, 4, 3)
    assert isinstance(pictures.pixels, np.memmap) == cached
    assert dataset.problems == []


@pytest.mark.parametrize("labels", [None, []])
def test_ada_sets_need_no_labels(tmp_path, labels) -> None:
    write_ada(tmp_path, labels)
    assert [record.attributes for record in open_dataset(tmp_path).records] == [{}, {}, {}]


@pytest.mark.parametrize("labels", [7, [1], [["a", 1, 2]]])
def test_an_unreadable_ada_index_is_one_sentence(tmp_path, labels) -> None:
    write_ada(tmp_path, labels)
    with pytest.raises(LifelikeError, match=r"dataset\.json is not an index"):
        open_dataset(tmp_path)


def test_labels_of_missing_pictures_are_named(tmp_path) -> None:
    write_ada(tmp_path, [*LABELS, ["00000/gone.png", 1]])
    assert [problem.name for problem in open_dataset(tmp_path).problems] == ["00000/gone.png"]


def test_plain_folders_are_read_below_and_without_hidden_files(tmp_path) -> None:
    for name in ("b.png", "a/deep/c.jpg", ".hidden/d.png", ".e.png"):
        save(tmp_path / name, 100)
    (tmp_path / "notes.txt").write_text("no picture")
    assert [record.file for record in open_dataset(tmp_path).records] == ["a/deep/c.jpg", "b.png"]


def test_our_format_is_read_with_everything_known(tmp_path) -> None:
    record = Record("pictures/a.png", "photo", "shot 1", "anna", np.ones((68, 2)), {"age": 0.5}, "scene.blend")
    save(tmp_path / record.file, 90)
    (tmp_path / "dataset.jsonl").write_text(to_line(record) + "\n", encoding="utf-8")
    (tmp_path / "card.json").write_text('{"licence": "CC0-1.0"}', encoding="utf-8")
    dataset = open_dataset(tmp_path)
    assert dataset.records == [record]
    assert dataset.card["licence"] == "CC0-1.0"
    pictures = dataset.pictures(4)
    assert pictures.landmarks == pytest.approx(np.full((1, 68, 2), 0.5))


def test_broken_lines_are_named_and_a_torn_last_one_is_no_line(tmp_path) -> None:
    save(tmp_path / "a.png", 90)
    lines = ['{"file": "a.png"}', "nonsense", '{"file": "../b.png"}', '{"file": "gone.png"}', '{"file": "a.png"}']
    (tmp_path / "dataset.jsonl").write_text("\n".join(lines) + '\n{"file": "a', encoding="utf-8")
    dataset = open_dataset(tmp_path)
    assert [record.file for record in dataset.records] == ["a.png"]
    assert sorted(str(problem) for problem in dataset.problems) == [
        "dataset.jsonl line 2 is not JSON.",
        "dataset.jsonl line 3 names a picture outside the data set (../b.png).",
        "dataset.jsonl line 5 names a.png a second time.",
        "gone.png is missing.",
    ]


def test_pairs_of_looks_need_both(tmp_path) -> None:
    write_pairs(tmp_path, people=[3, 4], poses=2, size=16)
    (tmp_path / "00004_1_photo.png").unlink()
    pairs = open_dataset(tmp_path).pairs_of_looks()
    assert [(render.file, photo.file) for render, photo in pairs] == [
        (f"{name}_render.png", f"{name}_photo.png") for name in ("00003_0", "00003_1", "00004_0")
    ]
    assert all(render.pair == photo.pair and render.identity == photo.identity for render, photo in pairs)


@pytest.mark.parametrize("as_zip", [False, True])
@pytest.mark.parametrize("cached", [False, True])
def test_a_corrupt_picture_is_named_and_the_others_are_read(tmp_path, as_zip, cached) -> None:
    for name, level in (("a.png", 10), ("b.png", 20), ("c.png", 30)):
        save(tmp_path / "set" / name, level, 64)
    whole = (tmp_path / "set" / "b.png").read_bytes()
    (tmp_path / "set" / "b.png").write_bytes(whole[: len(whole) // 2])
    path = zipped(tmp_path / "set", tmp_path / "set.zip") if as_zip else tmp_path / "set"
    for _ in range(2):
        dataset = open_dataset(path)
        pictures = dataset.pictures(8, cache=tmp_path / "cache" if cached else None)
        assert [record.file for record in pictures.records] == ["a.png", "c.png"]
        assert pictures.pixels[:, 0, 0, 0].tolist() == [10, 30]
        assert [problem.name for problem in dataset.problems] == ["b.png"]
        assert "damaged" in dataset.problems[0].reason
        assert str(tmp_path) not in dataset.problems[0].reason


def test_what_is_left_out_is_said_on_the_command_line(tmp_path) -> None:
    save(tmp_path / "set" / "good.png", 90)
    for index in range(25):
        (tmp_path / "set" / f"bad{index:02}.png").write_bytes(b"junk")
    call = "from lifelike.cli import root; root(False); open_dataset(Path(sys.argv[1])).pictures(8)"
    code = f"import sys; from pathlib import Path; from lifelike.datasets.dataset import open_dataset; {call}"
    said = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "set")], env=environment(tmp_path), capture_output=True, text=True
    )
    assert said.returncode == 0, said.stderr
    lines = said.stderr.splitlines()
    assert lines[0] == f"Left out of {tmp_path / 'set'}: bad00.png is not a picture that can be read."
    assert lines[20] == f"Left out of {tmp_path / 'set'}: 5 more, which --debug names."
    assert len(lines) == 21


def test_a_picture_that_is_not_the_recorded_one_is_named(tmp_path) -> None:
    lines = []
    for name in ("a.png", "b.png"):
        save(tmp_path / name, 90)
        sha256 = hashlib.sha256((tmp_path / name).read_bytes()).hexdigest()
        lines.append(to_line(Record(name, sha256=sha256)))
    (tmp_path / "dataset.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    save(tmp_path / "b.png", 91)
    dataset = open_dataset(tmp_path)
    assert [record.file for record in dataset.pictures(8).records] == ["a.png"]
    assert "SHA-256" in dataset.problems[0].reason


def test_mixed_sizes_are_brought_to_one_and_their_landmarks_with_them(tmp_path) -> None:
    points = np.arange(136, dtype=np.float64).reshape(68, 2) / 20
    for name, size in (("a.png", 8), ("b.png", 32)):
        save(tmp_path / name, 90, size)
    lines = [to_line(Record(name, landmarks=points * size)) for name, size in (("a.png", 1), ("b.png", 4))]
    (tmp_path / "dataset.jsonl").write_text("\n".join([*lines, ""]), encoding="utf-8")
    pictures = open_dataset(tmp_path).pictures(8)
    assert pictures.pixels.shape == (2, 8, 8, 3)
    assert pictures.landmarks[0] == pytest.approx(pictures.landmarks[1])
    assert pictures.scales.tolist() == [1, 0.25]


@pytest.mark.parametrize(("size", "words"), [((8, 8), "fewer than the 16"), ((40, 20), r"not square \(40 × 20\)")])
def test_unfit_pictures_are_refused_by_name(tmp_path, size, words) -> None:
    save(tmp_path / "a.png", 90, 16)
    Image.new("RGB", size).save(tmp_path / "b.png")
    with pytest.raises(LifelikeError, match=rf"b\.png .*{words}") as caught:
        open_dataset(tmp_path).pictures(16)
    assert caught.value.code is ErrorCode.INVALID_FILE
    assert caught.value.remedy


def test_a_look_that_is_not_there_is_refused(tmp_path) -> None:
    save(tmp_path / "a.png", 90)
    with pytest.raises(LifelikeError, match="no picture of the kind"):
        open_dataset(tmp_path).pictures(8, look="photo")


def test_zero_usable_pictures_is_one_sentence(tmp_path) -> None:
    with pytest.raises(LifelikeError, match="no usable picture"):
        open_dataset(tmp_path)
    (tmp_path / "a.png").write_bytes(b"junk")
    with pytest.raises(LifelikeError, match=r"first of 1 problems: a\.png is not a picture"):
        open_dataset(tmp_path).pictures(8)


def test_what_is_neither_folder_nor_zip_is_refused(tmp_path) -> None:
    with pytest.raises(LifelikeError, match="There is no data set"):
        open_dataset(tmp_path / "nowhere")
    (tmp_path / "a.zip").write_bytes(b"PK\3\4 but no zip")
    with pytest.raises(LifelikeError, match="cannot be read as a zip"):
        open_dataset(tmp_path / "a.zip")


def test_a_zip_that_unpacks_to_too_much_is_not_unpacked(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(storage.ZipStorage.content, "__defaults__", (2**20,))
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as target:
        target.writestr("bomb.png", bytes(2**21))
        save(tmp_path / "b.png", 90)
        target.write(tmp_path / "b.png", "b.png")
    dataset = open_dataset(tmp_path / "a.zip")
    assert [record.file for record in dataset.pictures(8).records] == ["b.png"]
    assert dataset.problems[0].name == "bomb.png"
    assert "unpack to more" in dataset.problems[0].reason


def test_a_zip_never_writes_where_its_names_say(tmp_path) -> None:
    save(tmp_path / "ok.png", 90)
    (tmp_path / "in").mkdir()
    with zipfile.ZipFile(tmp_path / "in" / "a.zip", "w") as target:
        target.write(tmp_path / "ok.png", "ok.png")
        for name in ("../../out.png", "/absolute.png"):
            target.writestr(zipfile.ZipInfo(name), (tmp_path / "ok.png").read_bytes())
    before = set(tmp_path.rglob("*"))
    dataset = open_dataset(tmp_path / "in" / "a.zip")
    assert [record.file for record in dataset.pictures(8).records] == ["ok.png"]
    assert sorted(problem.name for problem in dataset.problems) == ["../../out.png", "/absolute.png"]
    assert set(tmp_path.rglob("*")) == before


def test_too_little_memory_is_said_before_decoding(tmp_path, monkeypatch) -> None:
    save(tmp_path / "a.png", 90)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: type("Memory", (), {"available": 100}))
    with pytest.raises(LifelikeError) as caught:
        open_dataset(tmp_path).pictures(8)
    assert caught.value.code is ErrorCode.OUT_OF_MEMORY
    assert open_dataset(tmp_path).pictures(8, cache=tmp_path / "cache").pixels.max() == 90


def test_a_cache_that_cannot_be_written_is_one_sentence(tmp_path) -> None:
    save(tmp_path / "a.png", 90)
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(LifelikeError, match="cannot be kept"):
        open_dataset(tmp_path).pictures(8, cache=tmp_path / "cache")
