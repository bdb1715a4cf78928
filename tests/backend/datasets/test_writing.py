# SPDX-License-Identifier: GPL-3.0-or-later
"""A data set being written is whole whenever it is looked at, and nobody else's files are touched."""

from __future__ import annotations

import errno
import os

import numpy as np
import pytest
from PIL import Image

from lifelike.datasets import writing
from lifelike.datasets.card import DataSetCard, read_card
from lifelike.datasets.dataset import open_dataset
from lifelike.datasets.record import Record
from lifelike.datasets.writing import append_record, store_picture, write_records, writing_to
from lifelike_protocol.errors import ErrorCode, LifelikeError

CARD = DataSetCard("people", "dataset prepare", 8, settings={"most_blur": 0.9})


def test_what_is_written_is_read(tmp_path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8)
    with writing_to(tmp_path / "set", CARD) as begun:
        assert not begun
        for name in ("pictures/a.png", "pictures/b.png"):
            append_record(tmp_path / "set", store_picture(tmp_path / "set", Record(name, look="render"), pixels))
    dataset = open_dataset(tmp_path / "set")
    assert [record.file for record in dataset.records] == ["pictures/a.png", "pictures/b.png"]
    assert np.array_equal(dataset.pictures(8).pixels[1], pixels)
    assert dataset.problems == []
    assert read_card(tmp_path / "set") == CARD


@pytest.mark.parametrize("length", [1, 8, 100_000])
def test_a_line_that_a_killed_writer_tore_is_taken_away(tmp_path, length) -> None:
    append_record(tmp_path, Record("a.png"))
    with (tmp_path / "dataset.jsonl").open("ab") as file:
        file.write(b'{"file":' + b"x" * length)
    append_record(tmp_path, Record("b.png"))
    assert (tmp_path / "dataset.jsonl").read_text() == '{"file":"a.png"}\n{"file":"b.png"}\n'


def test_a_begun_data_set_is_continued_only_with_its_own_settings(tmp_path) -> None:
    with writing_to(tmp_path, CARD):
        pass
    with writing_to(tmp_path, CARD) as begun:
        assert begun
    for other in (
        DataSetCard("people", "dataset prepare", 16, settings={"most_blur": 0.9}),
        DataSetCard("people", "dataset render", 8, settings={"most_blur": 0.9}),
        DataSetCard("people", "dataset prepare", 8, settings={"most_blur": 0.8}),
    ):
        with (
            pytest.raises(LifelikeError, match="already holds another data set") as caught,
            writing_to(tmp_path, other),
        ):
            pass
        assert caught.value.code is ErrorCode.INVALID_SETTING
    assert read_card(tmp_path) == CARD


def test_a_folder_with_other_files_is_left_alone(tmp_path) -> None:
    Image.new("RGB", (4, 4)).save(tmp_path / "holiday.png")
    with pytest.raises(LifelikeError, match=r"such as holiday\.png"), writing_to(tmp_path, CARD):
        pass
    assert [path.name for path in tmp_path.iterdir() if path.name != ".lock"] == ["holiday.png"]


def test_two_writers_never_share_a_folder(tmp_path) -> None:
    with (
        writing_to(tmp_path, CARD),
        pytest.raises(LifelikeError, match="Another process is writing"),
        writing_to(tmp_path, CARD),
    ):
        pass
    with writing_to(tmp_path, CARD):
        pass


def test_a_file_in_the_way_is_one_sentence(tmp_path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(LifelikeError, match="could not be written") as caught, writing_to(tmp_path / "file", CARD):
        pass
    assert caught.value.remedy


def test_a_full_disk_keeps_the_old_index_and_leaves_nothing_half(tmp_path, monkeypatch) -> None:
    write_records(tmp_path, [Record("a.png")])

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(writing.os, "fsync", full)
    for write in (lambda: write_records(tmp_path, []), lambda: append_record(tmp_path, Record("b.png"))):
        with pytest.raises(LifelikeError, match="No space left") as caught:
            write()
        assert "Free some space" in caught.value.remedy
    assert (tmp_path / "dataset.jsonl").read_text() == '{"file":"a.png"}\n'
    assert [path.name for path in tmp_path.iterdir()] == ["dataset.jsonl"]
