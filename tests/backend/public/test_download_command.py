# SPDX-License-Identifier: GPL-3.0-or-later
"""`lifelike bundles download` as a person meets it: the list, the terms, the question, Ctrl-C."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import typer
from attrs import evolve
from typer.testing import CliRunner

from lifelike.bundles.public import catalogue
from lifelike.bundles.public.entry import PublicFile
from lifelike.bundles.public.space import in_words
from lifelike.commands import bundles
from lifelike_protocol.errors import ErrorCode, LifelikeError
from publisher import CONTENT, Publisher, published, saying, stalling
from running_backend import REPOSITORY, START_SECONDS, environment, wait_for

pytestmark = pytest.mark.timeout(600)  # processes start slowly on a busy machine

REAL = [file.name for file in catalogue.FILES]


@pytest.fixture
def server() -> Iterator[Publisher]:
    with published() as publisher:
        yield publisher


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that files are kept in."""
    monkeypatch.setenv("LIFELIKE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "200")
    return tmp_path / "home" / "cache" / "downloads"


@pytest.fixture
def download(kept: Path, server: Publisher, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """`lifelike bundles download`, the address of stylegan2-ffhq being one of this machine."""
    monkeypatch.setattr(catalogue, "FILES", tuple(moved(file, server) for file in catalogue.FILES))
    return lambda *arguments: CliRunner().invoke(bundles.app, ["download", *arguments])


def moved(file: PublicFile, server: Publisher) -> PublicFile:
    """stylegan2-ffhq as this machine publishes it; the others as they are."""
    here = server.file()
    changes = {key: getattr(here, key) for key in ("file_name", "address", "size", "sha256", "hash_note")}
    return evolve(file, **changes) if file.name == "stylegan2-ffhq" else file


def test_without_a_name_it_lists_what_there_is(download) -> None:
    shown = download()
    assert shown.exit_code == 0
    for name in ("ffhq", *REAL):
        assert name in shown.stdout
    for way in ("with a browser", "from a copy", "from its authors"):
        assert way in shown.stdout
    listed = json.loads(download("--json").stdout)
    assert [file["name"] for file in listed["files"]] == REAL
    assert listed["sets"][0]["files"] == ["stylegan2-ffhq", "e4e-ffhq", "arcface-ir-se50"]


def test_an_unknown_name_is_told_with_the_known_ones(download) -> None:
    refusal = download("nobody's").exception
    assert isinstance(refusal, LifelikeError)
    assert refusal.code is ErrorCode.UNKNOWN_BUNDLE
    assert "stylegan2-ada-ffhq" in refusal.remedy


def test_nothing_is_fetched_before_the_terms_are_accepted(download, server: Publisher, kept: Path) -> None:
    shown = download("stylegan2-ffhq")
    assert isinstance(shown.exception, LifelikeError)
    assert "--accept-license" in shown.exception.remedy
    for told in ("Nvidia Source Code License-NC", "stylegan2/license.html", "research or evaluation", "Karras et al."):
        assert told in shown.stderr
    assert server.seen == []
    assert not kept.exists()


@pytest.mark.skipif(sys.platform == "win32", reason="needs a terminal of its own (pty)")
@pytest.mark.parametrize(("answer", "fetched"), [("y\n", 1), ("n\n", 0)])
def test_a_person_is_asked(download, server: Publisher, monkeypatch, capsys, answer: str, fetched: int) -> None:
    import pty

    keyboard, terminal = pty.openpty()
    os.write(keyboard, answer.encode())
    monkeypatch.setattr(sys, "stdin", os.fdopen(terminal))
    refusal = None if fetched else pytest.raises(typer.Abort)
    with refusal or nullcontext():
        bundles.app(["download", "stylegan2-ffhq"], standalone_mode=False)
    os.close(keyboard)
    assert "accept these terms?" in capsys.readouterr().err
    assert len(server.seen) == fetched


def test_what_was_fetched_is_told_with_the_next_step(download, server: Publisher, kept: Path, tmp_path: Path) -> None:
    shown = download("stylegan2-ffhq", "--accept-license")
    assert shown.exit_code == 0, shown.exception
    assert (kept / "weights.bin").read_bytes() == CONTENT
    assert shown.stdout.splitlines()[0] == str(kept / "weights.bin")
    assert "lifelike bundles import --photo" in shown.stdout
    assert "Nvidia Source Code License-NC" in shown.stderr, "the terms are shown even when accepted before"
    assert download("stylegan2-ffhq", "--accept-license", "--folder", str(tmp_path / "mine")).exit_code == 0
    assert (tmp_path / "mine" / "weights.bin").exists()


def test_a_failure_says_how_to_do_it_by_hand(download, server: Publisher, kept: Path) -> None:
    server.manners = [saying(404)]
    failure = download("stylegan2-ffhq", "--accept-license").exception
    assert isinstance(failure, LifelikeError)
    assert "404" in failure.what
    assert "https://github.com/NVlabs/stylegan2" in failure.remedy
    assert str(kept / "weights.bin") in failure.remedy


# The command as a process of its own, with one file of this machine in the place of a published one.
PROCESS = """
import json, resource, sys
from attrs import evolve
from lifelike.bundles.public import catalogue
from lifelike.cli import main
changes, limit = json.loads(sys.argv.pop(1)), int(sys.argv.pop(1))
catalogue.FILES = (evolve(catalogue.STYLEGAN2, **changes),)
if limit:
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
main()
"""


def process(server: Publisher, largest: int = 0) -> subprocess.Popen[str]:
    """largest: bytes, how long a file this process may write, 0 for any: as on a disk that gets full."""
    here = moved(catalogue.STYLEGAN2, server)
    changes = {key: getattr(here, key) for key in ("file_name", "address", "size", "sha256", "hash_note")}
    command = [sys.executable, "-c", PROCESS, json.dumps(changes), str(largest)]
    return subprocess.Popen(
        [*command, "bundles", "download", "stylegan2-ffhq", "--accept-license"],
        env=environment(Path(os.environ["LIFELIKE_HOME"])),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(started: subprocess.Popen[str]) -> tuple[int, str]:
    _, errors = started.communicate(timeout=2 * START_SECONDS)
    assert "Traceback" not in errors
    return started.returncode, errors


posix = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals and limits")


@posix
def test_ctrl_c_keeps_the_part_and_the_next_run_goes_on(download, server: Publisher, kept: Path) -> None:
    server.manners = [stalling(after=300_000)]
    started = process(server)
    part = kept / ".weights.bin.partial"
    wait_for(lambda: part.exists() and part.stat().st_size > 0, "nothing arrives", 2 * START_SECONDS)
    started.send_signal(signal.SIGINT)
    status, errors = ended(started)
    assert status == 130
    assert "kept" in errors
    begun = part.stat().st_size
    assert begun > 0
    assert download("stylegan2-ffhq", "--accept-license").exit_code == 0
    assert server.ranges == [None, f"bytes={begun}-"]
    assert (kept / "weights.bin").read_bytes() == CONTENT
    assert [path.name for path in kept.iterdir()] == ["weights.bin"]


@posix
def test_a_full_disk_is_told_and_the_part_kept(server: Publisher, kept: Path) -> None:
    status, errors = ended(process(server, largest=300_000))
    assert status == 1
    assert "cannot be written" in errors
    assert (kept / ".weights.bin.partial").stat().st_size == 300_000


def test_every_entry_is_complete() -> None:
    names = [entry.name for entry in (*catalogue.SETS, *catalogue.FILES)]
    assert len(set(names)) == len(names)
    for file in catalogue.FILES:
        assert file.page.startswith("https://")
        assert not file.address or file.address.startswith("https://")
        assert file.terms.text.startswith("https://")
        assert file.terms.citations
        assert file.terms.why or not file.terms.non_commercial
        assert len(file.sha256) in (0, 64)
        assert file.hash_note or not file.sha256
        assert catalogue.find_published(file.name) is file
        assert not file.sha256 or catalogue.published_as(file.sha256.upper()) is file


def test_every_entry_is_in_the_document() -> None:
    text = (REPOSITORY / "docs" / "weights.md").read_text("utf-8")
    table = [line for line in text.split("## Importing")[0].splitlines() if line.startswith("| `")]
    for file in catalogue.FILES:
        (row,) = [line for line in table if line.startswith(f"| `{file.name}` |")]
        assert f"`{file.file_name}`" in row
        assert in_words(file.size) in row
        assert file.terms.text in row or file is catalogue.ROSINALITY
        assert ("with a browser" in row) == (not file.address)
        assert ("copy" in row) == bool(file.address_note)
