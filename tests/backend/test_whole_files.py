# SPDX-License-Identifier: GPL-3.0-or-later
"""Files written whole or not at all, and their hash."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lifelike.hashing import CHUNK, file_sha256
from lifelike.networks.weights import save_tensors
from lifelike.whole_files import write_whole, written_whole

posix = pytest.mark.skipif(sys.platform == "win32", reason="permissions of POSIX")


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def mode(file: Path) -> int:
    return file.stat().st_mode & 0o7777


@given(before=st.binary(), after=st.binary())
def test_the_new_content_takes_the_old_one_s_place(
    tmp_path_factory: pytest.TempPathFactory, before: bytes, after: bytes
) -> None:
    file = tmp_path_factory.mktemp("whole") / "deep" / "er" / "file.bin"
    write_whole(file, before)
    write_whole(file, after)
    assert file.read_bytes() == after
    assert names(file.parent) == ["file.bin"]


def test_what_was_there_stays_while_and_after_a_writing_that_fails(tmp_path: Path) -> None:
    file = tmp_path / "file.txt"
    write_whole(file, b"old")

    def write() -> None:
        with written_whole(file) as unfinished:
            unfinished.write_text("ne")
            assert file.read_bytes() == b"old"
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write()
    assert file.read_bytes() == b"old"
    assert names(tmp_path) == ["file.txt"]


def test_two_writers_do_not_meet(tmp_path: Path) -> None:
    file = tmp_path / "file.txt"
    with written_whole(file) as first, written_whole(file) as second:
        first.write_text("first")
        second.write_text("second")
    assert file.read_text() == "first", "who ends last is what stays"
    assert names(tmp_path) == ["file.txt"]


@posix
def test_a_replaced_file_keeps_its_permissions(tmp_path: Path) -> None:
    file = tmp_path / "file.txt"
    write_whole(file, b"old")
    file.chmod(0o640)
    write_whole(file, b"new")
    assert mode(file) == 0o640


@posix
def test_weights_can_be_read_by_whom_other_new_files_can(tmp_path: Path) -> None:
    (tmp_path / "other").touch()
    save_tensors(tmp_path / "weights.safetensors", {"a": torch.ones(3)}, {})
    assert mode(tmp_path / "weights.safetensors") == mode(tmp_path / "other")


def test_the_hash_is_that_of_the_content(tmp_path: Path) -> None:
    file = tmp_path / "file.bin"
    file.write_bytes(b"abc")
    # FIPS 180-2, appendix B.1
    assert file_sha256(file) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    file.write_bytes(bytes(CHUNK + 1))
    assert file_sha256(file) == hashlib.sha256(bytes(CHUNK + 1)).hexdigest()
