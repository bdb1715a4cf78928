# SPDX-License-Identifier: GPL-3.0-or-later
"""A bundle is hashed once, again when it has changed, and nothing that is kept of it can be in the way."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lifelike.bundles import digests
from lifelike.bundles.file import bundle_sha256

OLD = 1_700_000_000 * 10**9


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file of last year."""
    monkeypatch.setenv("LIFELIKE_HOME", str(tmp_path / "home"))
    return written(tmp_path / "a.safetensors", b"first", OLD)


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Every file that was really hashed."""
    seen: list[Path] = []

    def hash_and_tell(path: Path) -> str:
        seen.append(path)
        return bundle_sha256(path)

    monkeypatch.setattr(digests, "bundle_sha256", hash_and_tell)
    return seen


def written(file: Path, content: bytes, modified_ns: int) -> Path:
    file.write_bytes(content)
    os.utime(file, ns=(modified_ns, modified_ns))
    return file


def test_a_file_is_hashed_once(file: Path, hashed: list[Path]) -> None:
    assert digests.digest(file) == digests.digest(file) == bundle_sha256(file)
    assert hashed == [file]


def test_a_folder_is_hashed_by_its_weights(tmp_path: Path, file: Path, hashed: list[Path]) -> None:
    (tmp_path / "folder").mkdir()
    weights = written(tmp_path / "folder" / "weights.safetensors", b"weights", OLD)
    assert digests.digest(tmp_path / "folder") == digests.digest(tmp_path / "folder") == bundle_sha256(weights)
    assert len(hashed) == 1


@pytest.mark.parametrize(("content", "modified"), [(b"longer than that", OLD), (b"later", OLD + 1000)])
def test_a_changed_file_is_hashed_again(file: Path, content: bytes, modified: int) -> None:
    first = digests.digest(file)
    written(file, content, modified)
    assert digests.digest(file) == bundle_sha256(file) != first


def test_a_replaced_file_is_hashed_again(file: Path, tmp_path: Path) -> None:
    digests.digest(file)
    written(tmp_path / "new", b"other", OLD).replace(file)
    assert digests.digest(file) == bundle_sha256(file)


def test_a_file_that_just_changed_is_not_remembered(file: Path, hashed: list[Path]) -> None:
    file.touch()
    digests.digest(file)
    digests.digest(file)
    assert len(hashed) == 2


@pytest.mark.parametrize("content", [b"", b"\xff", b"[]", b"{", b"[" * 100_000, b'{"%s": [1]}', b'{"%s": 7}'])
def test_damaged_memories_are_forgotten(file: Path, content: bytes) -> None:
    digests.remembered_file().parent.mkdir(parents=True)
    digests.remembered_file().write_bytes(content.replace(b"%s", str(file).encode()))
    assert digests.digest(file) == bundle_sha256(file)
    assert digests.digest(file) == bundle_sha256(file)


def test_where_nothing_can_be_written_it_still_works(file: Path, tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file where the folder should be")
    assert digests.digest(file) == bundle_sha256(file)


def test_removed_bundles_are_forgotten(file: Path, tmp_path: Path) -> None:
    digests.digest(file)
    file.unlink()
    digests.digest(written(tmp_path / "b.safetensors", b"second", OLD))
    assert "a.safetensors" not in digests.remembered_file().read_text()
