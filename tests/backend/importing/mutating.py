# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads mutations of valid files, under guard, in a process of its own: python mutating.py FOLDER COUNT SEED.

Prints JSON: how many were read and refused, and everything that must not be: other exceptions, events of the
interpreter that running foreign code would cause, and how far memory grew (bytes).
"""

from __future__ import annotations

import io
import json
import pickletools
import resource
import sys
import traceback
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import foreign_files as foreign
import numpy as np
from safetensors.torch import save_file

from lifelike.bundles.assembly import assemble_bundle
from lifelike.importing import read_foreign
from lifelike.networks.stylegan2 import GeneratorSettings
from lifelike.networks.weights import save_weights
from lifelike_protocol.errors import ErrorCode, LifelikeError

TINY = GeneratorSettings(resolution=8, channel_base=32, channel_max=4, z_dim=4, w_dim=4, mapping_layers=1)
ROOM = 256 << 20
"""Bytes of address space beyond what the libraries take; every file has far less than a megabyte."""
EXTREMES = (0, 1, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 1 << 40, (1 << 63) - 1, (1 << 64) - 1)
HARMLESS_EVENTS = (
    "object.__getattr__",
    "object.__setattr__",
    "sys._getframe",
    "builtins.id",
    "cpython.",
    "gc.",
    "mmap.",
)


def write_all(folder: Path, seed: int, canary: Path) -> list[Path]:
    """A file of each format. Two seeds give files that differ in their tensors' values alone."""
    source = f"open({str(canary)!r}, 'w')"
    generator = foreign.seeded(foreign.Generator(TINY), seed)
    judge = foreign.seeded(foreign.Discriminator(TINY), seed)
    encoder, recogniser = foreign.small_e4e(num_ws=1), foreign.small_arcface()
    foreign.seeded(encoder, seed)
    foreign.seeded(recogniser, seed)
    folder.mkdir()
    foreign.write_nvidia_torch(folder / "torch2", generator, judge, source, protocol=2)
    foreign.write_nvidia_torch(folder / "torch4", generator, judge, source, protocol=4)
    foreign.write_nvidia_tensorflow(folder / "tensorflow2", generator, judge, source, protocol=2)
    foreign.write_nvidia_tensorflow(folder / "tensorflow5", generator, judge, source, protocol=5)
    foreign.write_rosinality(folder / "rosinality_zip", generator, judge)
    foreign.write_rosinality(folder / "rosinality_old", generator, judge, zipped=False)
    foreign.write_e4e(folder / "e4e", encoder)
    foreign.write_arcface(folder / "arcface", recogniser)
    save_file({k: v.contiguous() for k, v in generator.state_dict().items()}, folder / "plain")
    save_weights(folder / "own", generator, "generator", {})
    assemble_bundle(generator, identity=recogniser, name="a", description="", licence="").save(folder / "bundle")
    return sorted(folder.iterdir())


class Mutations:
    """Endless mutations of one file.

    Args:
        data: the file. twin: the same with other values in its tensors: where the two agree, there is structure.
        others: bytes to splice in from.
        canary: what a pickle that is run would make.
    """

    def __init__(self, data: bytes, twin: bytes, others: list[bytes], canary: Path, rng: np.random.Generator) -> None:
        self.data, self.others, self.rng = data, others, rng
        length = min(len(data), len(twin))
        same = np.frombuffer(data, np.uint8, length) == np.frombuffer(twin, np.uint8, length)
        self.structure = np.flatnonzero(same)
        self.attack = b"cposix\nsystem\nX" + _command(canary) + b"\x85R0"
        self.boundaries = _boundaries(data)

    def one(self) -> bytes:
        """One or a few changes of any kind."""
        data = bytearray(self.data)
        changes: list[Callable[[bytearray, int], None]] = [
            self._flip, self._flip, self._extreme, self._extreme, self._cut, self._repeat, self._insert, self._splice,
            self._truncate, self._attack,
        ]  # fmt: skip
        for _ in range(int(self.rng.choice([1, 1, 1, 2, 4]))):
            changes[self.rng.integers(len(changes))](data, int(self.rng.choice(self.structure)))
        return bytes(data)

    def _flip(self, data: bytearray, place: int) -> None:
        if place < len(data):
            data[place] = int(self.rng.integers(256))

    def _extreme(self, data: bytearray, place: int) -> None:
        size = int(self.rng.choice([1, 2, 4, 8]))
        value = EXTREMES[self.rng.integers(len(EXTREMES))] & ((1 << 8 * size) - 1)
        data[place : place + size] = value.to_bytes(size, "little")

    def _cut(self, data: bytearray, place: int) -> None:
        del data[place : place + int(self.rng.integers(1, 64))]

    def _repeat(self, data: bytearray, place: int) -> None:
        data[place:place] = data[place : place + int(self.rng.integers(1, 256))]

    def _insert(self, data: bytearray, place: int) -> None:
        data[place:place] = self.rng.bytes(int(self.rng.integers(1, 16)))

    def _splice(self, data: bytearray, place: int) -> None:
        other = self.others[self.rng.integers(len(self.others))]
        start = int(self.rng.integers(len(other)))
        data[place : place + 64] = other[start : start + int(self.rng.integers(1, 256))]

    def _truncate(self, data: bytearray, place: int) -> None:
        del data[place:]

    def _attack(self, data: bytearray, place: int) -> None:
        if self.boundaries:
            place = self.boundaries[self.rng.integers(len(self.boundaries))]
        data[place:place] = self.attack


def _command(canary: Path) -> bytes:
    text = f"touch {canary}".encode()
    return len(text).to_bytes(4, "little") + text


def _boundaries(data: bytes) -> list[int]:
    """Where instructions of a pickle begin, and where an inserted one would be carried out."""
    if data[:1] != b"\x80":
        return []
    return [position for _, _, position in pickletools.genops(data) if position]


class Rezipped:
    """Mutations of the pickle inside an archive, whose check sums are right again."""

    def __init__(self, data: bytes, twin: bytes, others: list[bytes], canary: Path, rng: np.random.Generator) -> None:
        self.entries, twins = _entries(data), _entries(twin)
        (self.name,) = [name for name in self.entries if name.endswith("data.pkl")]
        self.inner = Mutations(self.entries[self.name], twins[self.name], others, canary, rng)

    def one(self) -> bytes:
        """The archive with another pickle."""
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w") as archive:
            for name, data in {**self.entries, self.name: self.inner.one()}.items():
                archive.writestr(name, data)
        return file.getvalue()


def _entries(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


class Guard:
    """Notes what the interpreter does while a file is read."""

    def __init__(self, file: Path) -> None:
        self.file, self.watching = str(file), False
        self.seen: Counter[str] = Counter()
        sys.addaudithook(self._heard)

    def _heard(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.watching or event.startswith(HARMLESS_EVENTS):
            return
        if event == "open" and str(arguments[0]) == self.file and not (arguments[2] or 0) & 3:  # for reading
            return
        self.watching = False
        self.seen[f"{event} {arguments!r:.200}"] += 1
        self.watching = True

    def read(self, data: bytes) -> str:
        """Write the mutation, read it, and tell how that went."""
        Path(self.file).write_bytes(data)
        self.watching = True
        try:
            read_foreign(Path(self.file))
            return "read"
        except LifelikeError as error:
            one_line = "\n" not in str(error) and len(str(error)) < 600
            return "refused" if error.code is ErrorCode.INVALID_FILE and one_line else f"{error!r}"
        except Exception:
            return traceback.format_exc()
        finally:
            self.watching = False


def peak() -> int:
    """Most memory this process has ever had, bytes."""
    size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return size if sys.platform == "darwin" else size * 1024


def limit_memory() -> None:
    """From here on this process can take little more address space than it has."""
    if sys.platform == "linux":
        here = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (here + ROOM, here + ROOM))


def main(folder: Path, count: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    canary = folder / "canary"
    files, twins = write_all(folder / "a", 1, canary), write_all(folder / "b", 2, canary)
    whole = [file.read_bytes() for file in files]
    guard = Guard(folder / "mutation")
    for data in whole:
        read_foreign(_written(folder / "warm", data))  # what is imported on first use is imported now
    makers: list[Mutations | Rezipped] = []
    for data, twin in zip(whole, (file.read_bytes() for file in twins), strict=True):
        makers.append(Mutations(data, twin, whole, canary, rng))
        if data.startswith(b"PK"):
            makers.append(Rezipped(data, twin, whole, canary, rng))
    for maker in makers:
        guard.read(maker.one())
    guard.seen.clear()
    limit_memory()
    before, results, failures = peak(), Counter[str](), []
    for index in range(count):
        result = guard.read(makers[index % len(makers)].one())
        expected = result in ("read", "refused")
        results[result if expected else "failed"] += 1
        failures += [] if expected else [result]
    report = {
        "results": results,
        "failures": failures[:5],
        "events": dict(guard.seen),
        "canary": canary.exists(),
        "grown": peak() - before,
    }
    print(json.dumps(report))


def _written(file: Path, data: bytes) -> Path:
    file.write_bytes(data)
    return file


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
