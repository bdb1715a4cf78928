# SPDX-License-Identifier: GPL-3.0-or-later
"""The two containers of `torch.save`: the zip archive, and the older run of pickles followed by the tensors' bytes."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, BinaryIO

from lifelike.importing.byte_source import ByteSource
from lifelike.importing.pickled_names import names, storage_id
from lifelike.importing.refusal import TAKEN, Refused
from lifelike.importing.restricted_pickle import Allowance, Name, RestrictedUnpickler
from lifelike.importing.stored import Storage, bytes_at
from lifelike.importing.zip_archive import ZipArchive

MAGIC = 0x1950A86A20F9469CFC6C
"""First value of the older container."""
PROTOCOL = 1001
COPIES = 2
"""Of a file's bytes: pickles of the second protocol spell bytes as text, and those may be a storage's container."""
PICKLE_LIMIT = 256 << 20
"""Bytes of a zip archive's pickle, which holds names and sizes only: some hundred kilobytes."""


def read_pickle(file: BinaryIO, size: int) -> Any:
    """Any file that begins with a pickle: its value; of torch's older container, what was saved.

    Args:
        file: seekable, at its beginning.
        size: its bytes.

    Raises:
        Refused: damaged, or holds more than weights.
    """
    allowance = Allowance(COPIES * size)
    return _read(ByteSource(file, size), names(allowance, _storage_reader(allowance)), allowance)


def read_zip(file: BinaryIO, size: int) -> Any:
    """What was saved in a zip archive of torch's; arguments and errors as `read_pickle`'s."""
    archive = ZipArchive(file, size)
    pickles = [name for name in archive.entries if name == "data.pkl" or name.endswith("/data.pkl")]
    if len(pickles) != 1:
        raise Refused("it is an archive, but not one of weights", TAKEN)
    folder = pickles[0].removesuffix("data.pkl")
    if folder + "constants.pkl" in archive.entries:
        raise Refused("it is a TorchScript program, not plain weights", TAKEN)
    if folder + "byteorder" in archive.entries and archive.read(folder + "byteorder", 16) != b"little":
        raise Refused("its numbers are written in an order of bytes that is not read here")
    storages: dict[str, Storage] = {}

    def persistent(identifier: Any) -> Storage:
        wanted = storage_id(identifier)
        name = f"{folder}data/{wanted.key}"
        if name not in storages:
            storage = Storage(wanted.dtype, wanted.count)
            if archive.length(name) != storage.size:
                raise Refused("it is damaged: one of its tensors is larger than the bytes there are for it")
            storage.read = partial(archive.read, name, storage.size)
            storages[name] = storage
        return _agreeing(storages[name], wanted.dtype, wanted.count)

    pickle = io.BytesIO(archive.read(pickles[0], PICKLE_LIMIT))
    source = ByteSource(pickle, len(pickle.getbuffer()))
    allowance = Allowance(source.size)
    return RestrictedUnpickler(source, names(allowance, None), allowance, persistent).load()


def _read(source: ByteSource, known: Mapping[str, Name], allowance: Allowance) -> Any:
    """One pickle, or after the magic number: protocol, machine, what was saved, keys, the bytes of each storage."""
    storages: dict[str, Storage] = {}

    def persistent(identifier: Any) -> Storage:
        wanted = storage_id(identifier)
        storage = storages.setdefault(wanted.key, Storage(wanted.dtype, wanted.count))
        return _agreeing(storage, wanted.dtype, wanted.count)

    def unpickled(outside: Callable[[Any], Any] | None = None) -> Any:
        return RestrictedUnpickler(source, known, allowance, outside).load()

    value = unpickled()
    if value != MAGIC:
        return value
    protocol, machine = unpickled(), unpickled()
    if protocol != PROTOCOL or not isinstance(machine, dict) or not machine.get("little_endian", True):
        raise Refused("it was written in a way that is not read here")
    value, keys = unpickled(persistent), unpickled()
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        raise Refused("it is damaged")
    for key in keys:
        (count,) = struct.unpack("<q", source.read(8))
        storage = storages.get(key)
        if storage is None or count != storage.count:
            raise Refused("it is damaged: one of its tensors is larger than the bytes there are for it")
        storage.read = bytes_at(source.file, source.tell(), storage.size, source.size)
        source.skip(storage.size)
    return value


def _storage_reader(allowance: Allowance) -> Callable[[bytes], Storage]:
    """Reads what `torch.save` makes of one storage: the older container in memory, without others inside."""
    known = names(allowance, None)

    def read(data: bytes) -> Storage:
        allowance.spend(size=len(data))
        value = _read(ByteSource(io.BytesIO(data), len(data)), known, allowance)
        if not isinstance(value, Storage):
            raise Refused("it is damaged: one of its tensors has no values")
        return value

    return read


def _agreeing(storage: Storage, dtype: Any, count: int) -> Storage:
    if (storage.dtype, storage.count) != (dtype, count):
        raise Refused("it is damaged: it describes the same values in two ways")
    return storage
