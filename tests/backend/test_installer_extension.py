# SPDX-License-Identifier: GPL-3.0-or-later
"""The extension's zip: the same bytes from the same sources, the known wheels and no others, nothing left over."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY))

from installer import wheels  # noqa: E402
from installer.extension import build  # noqa: E402
from installer.places import Places  # noqa: E402
from installer.progress import Step  # noqa: E402
from installer.refusal import Refusal  # noqa: E402

MANIFEST = REPOSITORY / "blender_addon" / "blender_manifest.toml"


def test_every_wheel_of_the_manifest_is_known_and_every_platform_is_served() -> None:
    names = [wheels.WheelName.parse(name) for name in wheels.listed(MANIFEST)]
    known = wheels.known_hashes()
    assert {name for name in wheels.listed(MANIFEST) if not name.startswith(wheels.OWN)} == set(known)
    for system in ("manylinux", "win_amd64", "macosx_11_0_arm64", "macosx"):
        for package in ("msgpack", "pyzmq"):
            pythons = {
                name.python
                for name in names
                if name.name == package and (system in name.platform or "universal2" in name.platform)
            }
            assert len(pythons) == 2, f"{package} for {system} serves {pythons}"


def test_the_own_wheel_is_the_same_each_time_and_pip_takes_it(tmp_path: Path) -> None:
    places = Places(REPOSITORY)
    built = [wheels.build_own(places, tmp_path / name) for name in ("first", "second")]
    assert built[0].read_bytes() == built[1].read_bytes()
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--target"]
    subprocess.run([*pip, tmp_path / "installed", built[0]], check=True, timeout=300)
    script = "import lifelike_protocol.client as client; print(client.__file__)"
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "installed")}
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert Path(done.stdout.strip()).is_relative_to(tmp_path / "installed")


def test_a_wheel_that_is_not_the_known_one_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    addon = tmp_path / "blender_addon"
    addon.mkdir()
    (addon / MANIFEST.name).write_text('wheels = [\n  "./wheels/something-1.0-py3-none-any.whl",\n]\n')
    with pytest.raises(Refusal, match=r"has no hash of something-1\.0"):
        wheels.fetch(Places(tmp_path), Path(sys.executable), Step("wheels"))
    hashes = tmp_path / "wheels.sha256"
    hashes.write_text(f"{'0' * 64}  something-1.0-py3-none-any.whl\n")
    monkeypatch.setattr(wheels, "HASHES", hashes)
    index = tmp_path / "index"
    index.mkdir()
    metadata = "Metadata-Version: 2.1\nName: something\nVersion: 1.0\n"
    contents = {"something-1.0.dist-info/METADATA": metadata, "something-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\n"}
    wheels.write_zip(index / "something-1.0-py3-none-any.whl", {name: text.encode() for name, text in contents.items()})
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(index))
    with pytest.raises(Refusal, match=r"is not the file that wheels\.sha256 knows"):
        wheels.fetch(Places(tmp_path), Path(sys.executable), Step("wheels"))
    assert not list((tmp_path / ".cache" / "wheels").iterdir())


def test_the_zip_holds_what_it_should_and_nothing_else(tmp_path: Path) -> None:
    named = os.environ.get("LIFELIKE_EXTENSION_ZIP")
    if not named:
        pytest.skip("needs a built extension (LIFELIKE_EXTENSION_ZIP; install.py test sets it)")
    with zipfile.ZipFile(named) as archive:
        names = archive.namelist()
        inside = {name.removeprefix("wheels/") for name in names if name.startswith("wheels/")}
        assert inside == set(wheels.listed(MANIFEST))
        for name, digest in wheels.known_hashes().items():
            assert hashlib.sha256(archive.read(f"wheels/{name}")).hexdigest() == digest
        assert archive.read("blender_manifest.toml") == MANIFEST.read_bytes()
        assert archive.read("LICENSE") == (REPOSITORY / "LICENSE").read_bytes()
    assert not [name for name in names if "__pycache__" in name or "/." in name or name.startswith(".")]


def test_the_zip_is_the_same_each_time_and_a_cut_one_never_takes_its_place(tmp_path: Path) -> None:
    cache = REPOSITORY / ".cache" / "wheels"
    if not all((cache / name).is_file() for name in wheels.known_hashes()):
        pytest.skip("needs the fetched wheels (.cache/wheels; install.py build fetches them)")
    built = [build(Places(REPOSITORY), tmp_path / name) for name in ("first", "second")]
    assert built[0].read_bytes() == built[1].read_bytes()
    with pytest.raises(TypeError):
        wheels.write_zip(built[0], {"whole": b"1", "broken": None})  # type: ignore[dict-item]
    assert built[0].read_bytes() == built[1].read_bytes()
    shutil.rmtree(tmp_path / "first")
