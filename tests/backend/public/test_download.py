# SPDX-License-Identifier: GPL-3.0-or-later
"""Fetching from a real server that breaks off, lies, changes its mind or sends something else."""

from __future__ import annotations

import hashlib
import shutil
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from filelock import FileLock

from lifelike.bundles.public.download import Patience, download
from lifelike.bundles.public.entry import PublicFile
from lifelike_protocol.errors import ErrorCode, LifelikeError
from publisher import (
    CONTENT,
    Publisher,
    announcing,
    another_part,
    breaking_off,
    in_chunks,
    login_page,
    published,
    saying,
    silent,
    whole,
)

QUICK = Patience(timeout=5, attempts=3, pause=0.01)
BROKEN_AT = 300_000


@pytest.fixture
def server() -> Iterator[Publisher]:
    with published() as publisher:
        yield publisher


def refused(file: PublicFile, folder: Path, patience: Patience = QUICK) -> LifelikeError:
    with pytest.raises(LifelikeError) as caught:
        download(file, folder, patience=patience)
    assert caught.value.code is ErrorCode.INVALID_FILE
    assert caught.value.remedy
    return caught.value


def left_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def fetched(server: Publisher, folder: Path, **changes: object) -> None:
    path = download(server.file(**changes), folder, patience=QUICK)
    assert path.read_bytes() == CONTENT
    assert left_in(folder) == ["weights.bin"]


def stopped_part_way(server: Publisher, folder: Path, **changes: object) -> None:
    """As if the process had been ended in the middle of the first piece's report."""
    server.manners = [breaking_off(BROKEN_AT)]

    def stop(here: int, total: int) -> None:
        if here >= BROKEN_AT:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        download(server.file(**changes), folder, stop, QUICK)
    assert "weights.bin" not in left_in(folder)
    server.seen.clear()


def test_a_file_comes_whole_and_is_told_piece_by_piece(server, tmp_path) -> None:
    told: list[tuple[int, int]] = []
    path = download(server.file(), tmp_path / "new" / "folder", lambda *of: told.append(of), QUICK)
    assert path.read_bytes() == CONTENT
    assert told[0] == (0, len(CONTENT))
    assert told[-1] == (len(CONTENT), len(CONTENT))
    assert [here for here, _ in told] == sorted({here for here, _ in told})
    download(server.file(), tmp_path / "new" / "folder", patience=QUICK)
    assert len(server.seen) == 1, "what is there was fetched again"


def test_a_connection_that_breaks_is_taken_up_where_it_broke(server, tmp_path) -> None:
    server.manners = [breaking_off(100), breaking_off(BROKEN_AT)]
    fetched(server, tmp_path)
    assert server.ranges == [None, "bytes=100-", f"bytes={BROKEN_AT}-"]
    assert [headers.get("If-Range") for headers in server.seen] == [None, '"first"', '"first"']


def test_a_stopped_download_is_taken_up_by_the_next(server, tmp_path) -> None:
    stopped_part_way(server, tmp_path)
    fetched(server, tmp_path)
    assert server.ranges == [f"bytes={BROKEN_AT}-"]


@pytest.mark.parametrize("manner", [whole, another_part, saying(416)])
def test_a_server_without_ranges_is_asked_for_all_of_it(server, tmp_path, manner) -> None:
    stopped_part_way(server, tmp_path)
    server.manners = [manner]
    fetched(server, tmp_path)


def test_a_file_that_changed_meanwhile_is_fetched_anew(server, tmp_path) -> None:
    stopped_part_way(server, tmp_path)
    server.etag = '"second"'
    fetched(server, tmp_path)
    assert server.seen[0]["If-Range"] == '"first"'
    assert len(server.seen) == 1


def test_without_a_validator_or_hash_nothing_is_taken_up(server, tmp_path) -> None:
    server.etag = ""
    stopped_part_way(server, tmp_path, sha256="")
    fetched(server, tmp_path, sha256="")
    assert server.ranges == [None]


def test_parts_of_two_files_are_noticed_and_fetched_anew(server, tmp_path) -> None:
    server.content, server.etag = bytes(len(CONTENT)), 'W/"weak"'  # neither ETag nor date can tell the two apart
    stopped_part_way(server, tmp_path)
    server.content = CONTENT
    fetched(server, tmp_path)
    assert server.ranges == [f"bytes={BROKEN_AT}-", None]
    assert "If-Range" not in server.seen[0]


def test_other_bytes_are_deleted_and_told(server, tmp_path) -> None:
    server.content = CONTENT[:-1] + b"x"
    told = refused(server.file(), tmp_path)
    assert hashlib.sha256(server.content).hexdigest() in told.what
    assert "deleted" in told.what
    assert "lifelike bundles import" in told.remedy
    assert left_in(tmp_path) == []
    assert len(server.seen) == 1, "a whole file from one connection needs no second"


@pytest.mark.parametrize("length", [len(CONTENT) + 5000, 5000, 1 << 60])
def test_another_length_is_refused_before_a_byte_is_kept(server, tmp_path, length) -> None:
    server.manners = [announcing(length)]
    told = refused(server.file(), tmp_path)
    assert f"{length:,}" in told.what
    assert left_in(tmp_path) == []


def test_a_length_that_is_promised_and_not_sent_is_not_waited_for(server, tmp_path) -> None:
    server.manners = [announcing(len(CONTENT) + 5000)] * 9
    told = refused(server.file(size=0, sha256=""), tmp_path)
    assert f"{len(CONTENT):,} of {len(CONTENT) + 5000:,}" in told.what
    assert "weights.bin" not in left_in(tmp_path)


@pytest.mark.parametrize("manner", [announcing(None), in_chunks()])
def test_a_file_of_untold_length_is_taken(server, tmp_path, manner) -> None:
    server.manners = [manner]
    fetched(server, tmp_path)


def test_more_than_the_file_is_not_kept(server, tmp_path) -> None:
    server.manners = [in_chunks(repeated=3)]
    assert "more than" in refused(server.file(), tmp_path).what
    assert left_in(tmp_path) == []


def test_a_login_page_is_no_file(server, tmp_path) -> None:
    server.manners = [login_page]
    assert "web page" in refused(server.file(size=0, sha256=""), tmp_path).what
    assert left_in(tmp_path) == []


def test_compression_that_nobody_asked_for_is_refused(server, tmp_path) -> None:
    server.manners = [saying(200, Content_Encoding="gzip")]
    assert "compressed" in refused(server.file(), tmp_path).what
    assert server.seen[0]["Accept-Encoding"] == "identity"


@pytest.mark.parametrize(("status", "asked"), [(404, 1), (410, 1), (403, 1), (429, 3), (503, 3)])
def test_a_status_is_told_and_only_a_passing_one_tried_again(server, tmp_path, status, asked) -> None:
    server.manners = [saying(status)] * 9
    told = refused(server.file(), tmp_path)
    assert str(status) in told.what
    assert "lifelike bundles import" in told.remedy
    assert len(server.seen) == asked
    assert left_in(tmp_path) == []


def test_a_busy_server_gets_another_chance(server, tmp_path) -> None:
    server.manners = [saying(503), breaking_off(BROKEN_AT), saying(503)]
    fetched(server, tmp_path)


def test_a_server_that_never_gets_further_is_given_up_and_the_part_kept(server, tmp_path) -> None:
    server.manners = [breaking_off(BROKEN_AT)] * 9
    told = refused(server.file(), tmp_path)
    assert f"{BROKEN_AT:,} bytes" in told.what
    assert len(server.seen) == 1 + QUICK.attempts
    server.manners = []
    server.seen.clear()
    fetched(server, tmp_path)
    assert server.ranges == [f"bytes={BROKEN_AT}-"]


def test_a_server_that_says_nothing_is_given_up(server, tmp_path) -> None:
    server.manners = [silent] * 9
    told = refused(server.file(), tmp_path, Patience(timeout=0.2, attempts=2, pause=0.01))
    assert "does not answer" in told.what
    assert len(server.seen) == 2


def test_redirects_are_followed_on_this_machine(server, tmp_path) -> None:
    server.manners = [saying(302, Location=server.address + "?really")]
    fetched(server, tmp_path)


@pytest.mark.parametrize("elsewhere", ["http://example.org/weights.bin", "file:///etc/passwd", "ftp://example.org/x"])
def test_redirects_to_anything_unencrypted_are_not_followed(server, tmp_path, elsewhere) -> None:
    server.manners = [saying(302, Location=elsewhere)]
    told = refused(server.file(), tmp_path)
    assert elsewhere in told.what or "302" in told.what  # the library itself refuses files
    assert len(server.seen) == 1
    assert left_in(tmp_path) == []


@pytest.mark.parametrize("nowhere", ["http://[broken", "https://exa mple.org/", "https://", "https://\u2028.example/"])
def test_redirects_to_nowhere_are_told(server, tmp_path, nowhere) -> None:
    server.manners = [saying(302, Location=nowhere.encode().decode("latin-1"))] * 9
    refused(server.file(), tmp_path)
    assert left_in(tmp_path) == []


def test_an_empty_answer_is_no_file(server, tmp_path) -> None:
    server.manners = [saying(200)] * 9
    assert "empty" in refused(server.file(size=0, sha256=""), tmp_path).what
    assert "weights.bin" not in left_in(tmp_path)


def test_redirects_in_a_circle_end(server, tmp_path) -> None:
    server.manners = [saying(302, Location=server.address)] * 50
    refused(server.file(), tmp_path)
    assert len(server.seen) < 10


@pytest.mark.parametrize("address", ["http://example.org/weights.bin", "ftp://example.org/w", "file:///etc/passwd"])
def test_only_encrypted_addresses_are_asked(server, tmp_path, address) -> None:
    assert "HTTPS" in refused(server.file(address=address), tmp_path).what
    assert left_in(tmp_path) == []


def test_without_a_network_it_says_so_at_once(tmp_path) -> None:
    with published() as publisher:
        file = publisher.file()
    told = refused(file, tmp_path, Patience(attempts=1000, pause=1000))
    assert "no connection to 127.0.0.1" in told.what
    assert file.page in told.remedy


def test_the_proxy_of_the_environment_is_used(server, tmp_path, monkeypatch) -> None:
    tunnels: list[str] = []

    def refuse_tunnel(request) -> None:
        tunnels.append(request.path)
        request.begin(403, 0)

    monkeypatch.setattr("publisher.Request.do_CONNECT", refuse_tunnel, raising=False)
    monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    told = refused(server.file(address="https://weights.example/weights.bin"), tmp_path)
    assert tunnels == ["weights.example:443"]
    assert "403" in told.what


@pytest.fixture
def encrypted(server: Publisher, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The server speaks TLS, with a certificate that nobody but its maker knows; returns that."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("needs the program openssl to make a certificate")
    folder = tmp_path_factory.mktemp("tls")
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    command = [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *names]
    subprocess.run([*command, "-keyout", key, "-out", certificate], check=True, capture_output=True, timeout=60)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    return certificate


def test_an_encrypted_server_that_can_be_trusted_is_used(server, tmp_path, encrypted, monkeypatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(encrypted))
    server.manners = [breaking_off(BROKEN_AT)]
    fetched(server, tmp_path, address=f"https://localhost:{server.server_port}/weights.bin")
    assert server.ranges == [None, f"bytes={BROKEN_AT}-"]


def test_an_encrypted_server_that_nobody_knows_is_not_trusted(server, tmp_path, encrypted) -> None:
    told = refused(server.file(address=f"https://localhost:{server.server_port}/weights.bin"), tmp_path)
    assert "cannot be trusted" in told.what
    assert server.seen == []
    assert left_in(tmp_path) == []


def test_no_room_on_the_disk_is_told_before_anything_is_asked(server, tmp_path) -> None:
    told = refused(server.file(size=1 << 60), tmp_path)
    assert "free" in told.what
    assert server.seen == []
    assert left_in(tmp_path) == []


def test_a_file_of_ones_own_is_checked_and_never_changed(server, tmp_path) -> None:
    mine = tmp_path / "weights.bin"
    mine.write_bytes(CONTENT[:-1] + b"x")
    told = refused(server.file(), tmp_path)
    assert str(mine) in told.what
    assert mine.read_bytes() == CONTENT[:-1] + b"x"
    mine.write_bytes(CONTENT)
    fetched(server, tmp_path)
    assert server.seen == []


def test_what_only_a_browser_gets_is_told_with_its_page(server, tmp_path) -> None:
    file = server.file(address="")
    told = refused(file, tmp_path)
    assert file.page in told.remedy
    assert str(tmp_path / "weights.bin") in told.remedy


def test_two_processes_do_not_write_one_file(server, tmp_path) -> None:
    with FileLock(tmp_path / ".weights.bin.lock"):
        assert "another process" in refused(server.file(), tmp_path).what
    assert server.seen == []
    fetched(server, tmp_path)
