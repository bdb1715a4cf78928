# SPDX-License-Identifier: GPL-3.0-or-later
"""The wheels inside the extension: fetched as its manifest names them, and `lifelike_protocol` built from shared/.

Each fetched file must have the hash that wheels.sha256 gives it, so that what Blender loads is what was tried.
"""

from __future__ import annotations

import base64
import hashlib
import re
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from .places import Places
from .progress import Step
from .refusal import Refusal
from .running import run

HASHES = Path(__file__).resolve().parent / "wheels.sha256"
OWN = "lifelike_protocol"
_OWN_NEEDS = ("attrs", "cattrs", "msgpack", "pyzmq")
_THE_BEGINNING = (1980, 1, 1, 0, 0, 0)
"""The oldest time a zip can hold; the same for every file, so that equal sources give equal bytes."""
_AT_ONCE = 4


@dataclass(frozen=True)
class WheelName:
    """The parts of a wheel's file name, which say where it can be used."""

    name: str
    version: str
    python: str
    abi: str
    platform: str

    @classmethod
    def parse(cls, file_name: str) -> WheelName:
        """Raises Refusal for what is no wheel's name."""
        parts = file_name.removesuffix(".whl").split("-")
        if len(parts) != 5 or not file_name.endswith(".whl"):
            raise Refusal(f"blender_manifest.toml lists {file_name}, which is no wheel's name.")
        return cls(*parts)

    @property
    def target(self) -> tuple[str, ...]:
        """What tells pip to fetch for that Python and platform rather than for its own."""
        if self.platform == "any":
            return ()
        version = re.sub(r"\D", "", self.python)
        platforms = [option for tag in self.platform.split(".") for option in ("--platform", tag)]
        return (*platforms, "--python-version", version, "--implementation", "cp", "--abi", self.abi)


def listed(manifest: Path) -> list[str]:
    """The file names of the wheels in the manifest, in its order."""
    text = manifest.read_text(encoding="utf-8")
    # Python 3.10 has no tomllib, and this one list is all that is needed.
    return re.findall(r'^\s*"\./wheels/([^"]+\.whl)"', text, re.MULTILINE)


def fetch(places: Places, python: Path, shown: Step) -> list[Path]:
    """All wheels of the manifest but the own one, from the cache or through pip.

    Args:
        python: any interpreter with pip.

    Raises:
        Refusal: one cannot be had, or is not the one known.
    """
    names = [name for name in listed(places.addon / "blender_manifest.toml") if not name.startswith(f"{OWN}-")]
    known = known_hashes()
    unknown = [name for name in names if name not in known]
    if unknown:
        raise Refusal(f"{HASHES.name} has no hash of {unknown[0]}: add it once you have checked the file.")
    folder = places.cache / "wheels"
    folder.mkdir(parents=True, exist_ok=True)
    missing = [name for name in names if not _is(folder / name, known[name])]
    groups: dict[tuple[str, ...], list[str]] = {}
    for name in missing:
        groups.setdefault(WheelName.parse(name).target, []).append(name)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        jobs = [
            pool.submit(_download, places, python, folder, target, group, str(number))
            for number, (target, group) in enumerate(groups.items())
        ]
        for number, job in enumerate(jobs):
            shown.doing(f"fetching wheels, {number} of {len(jobs)} platforms")
            job.result()
    for name in missing:
        if not _is(folder / name, known[name]):
            (folder / name).unlink()
            raise Refusal(f"The fetched {name} is not the file that {HASHES.name} knows: it was not used.")
    return [folder / name for name in names]


def _download(
    places: Places, python: Path, folder: Path, target: tuple[str, ...], names: list[str], number: str
) -> None:
    """Fetches the wheels of one target into a folder of their own, then moves them in whole."""
    partial = folder / f"partial-{number}"
    partial.mkdir(exist_ok=True)
    wanted = [f"{wheel.name}=={wheel.version}" for wheel in map(WheelName.parse, names)]
    command: list[str | Path] = [python, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:", "--no-input"]
    run([*command, "--dest", partial, *target, *wanted], f"Fetching {wanted[0]}", places.logs / f"wheels-{number}.log")
    found = {file.name: file for file in partial.iterdir()}
    for name in names:
        if name not in found:
            raise Refusal(f"pip fetched {', '.join(sorted(found))} and not {name}.")
        found[name].replace(folder / name)
    for left in partial.iterdir():
        left.unlink()
    partial.rmdir()


def known_hashes() -> dict[str, str]:
    """SHA-256 by file name, as `sha256sum` writes them."""
    lines = (line.split() for line in HASHES.read_text(encoding="utf-8").splitlines())
    return {words[1]: words[0] for words in lines if len(words) == 2}


def _is(file: Path, digest: str) -> bool:
    return file.is_file() and hashlib.sha256(file.read_bytes()).hexdigest() == digest


def build_own(places: Places, folder: Path) -> Path:
    """Builds the wheel of lifelike_protocol; equal sources give equal bytes. Returns the file."""
    file_name = next(name for name in listed(places.addon / "blender_manifest.toml") if name.startswith(f"{OWN}-"))
    wheel = WheelName.parse(file_name)
    info = f"{OWN}-{wheel.version}.dist-info"
    needs = "".join(f"Requires-Dist: {name}\n" for name in _OWN_NEEDS)
    contents = {f"{OWN}/{name}": data for name, data in _sources(places.protocol).items()}
    contents[f"{info}/METADATA"] = (
        f"Metadata-Version: 2.1\nName: lifelike-protocol\nVersion: {wheel.version}\n"
        f"Summary: What Lifelike's add-on and backend say to each other\nLicense: GPL-3.0-or-later\n{needs}"
    ).encode()
    contents[f"{info}/WHEEL"] = (
        b"Wheel-Version: 1.0\nGenerator: lifelike-install\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    )
    record = "".join(f"{name},sha256={_record_hash(data)},{len(data)}\n" for name, data in contents.items())
    contents[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n".encode()
    target = folder / file_name
    write_zip(target, contents)
    return target


def _sources(package: Path) -> dict[str, bytes]:
    files = (file for file in package.rglob("*") if file.suffix == ".py" or file.name == "py.typed")
    return {file.relative_to(package).as_posix(): file.read_bytes() for file in sorted(files)}


def _record_hash(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


def write_zip(target: Path, contents: dict[str, bytes]) -> None:
    """A zip whose bytes depend on the contents alone; `target` appears whole or not at all."""
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f"{target.name}.partial")
    with zipfile.ZipFile(partial, "w") as archive:
        for name, data in contents.items():
            entry = zipfile.ZipInfo(name, _THE_BEGINNING)
            entry.external_attr = 0o644 << 16
            entry.create_system = 3  # Unix, so that a build on Windows gives the same bytes
            entry.compress_type = zipfile.ZIP_STORED if name.endswith(".whl") else zipfile.ZIP_DEFLATED
            archive.writestr(entry, data)
    partial.replace(target)
