# SPDX-License-Identifier: GPL-3.0-or-later
"""What pickled weights may name, and the inert stand-in for each.

The names are those that the published files and their like hold: tensors of torch, arrays and numbers of NumPy, ordered
dictionaries, sets, option records, and the networks of NVIDIA's two frameworks, of which only the state is kept: the
source code that travels with them is never even compiled.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from attrs import define, field, frozen

from lifelike.importing.refusal import Refused
from lifelike.importing.restricted_pickle import Allowance, Name, Rebuilt, checked_key
from lifelike.importing.stored import AXES_LIMIT, Storage, Stored, view_of

STORAGE_DTYPES = {
    "DoubleStorage": torch.float64,
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}
DTYPE_NAMES = ("float64", "float32", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8", "bool")
ARRAY_CODES = ("f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "b1")


@define(eq=False)
class Record(Rebuilt):
    """An object of which only class and state are kept."""

    name: str
    state: dict[str, Any] = field(factory=dict)

    def set_state(self, state: Any) -> None:
        if not isinstance(state, dict):
            raise Refused(f"it is damaged: its {self.name} has no state")
        self.state = state


@define(eq=False)
class ArrayType(Rebuilt):
    """A NumPy number type: its code, such as f4, and the order of its bytes."""

    code: str
    order: str = "<"

    def set_state(self, state: Any) -> None:
        if not isinstance(state, tuple) or len(state) < 2 or state[1] not in ("<", ">", "|", "="):
            raise Refused("it is damaged: it describes numbers that cannot be")
        self.order = state[1]

    @property
    def type(self) -> np.dtype[Any]:
        """As NumPy's own."""
        return np.dtype(self.code).newbyteorder(self.order)  # type: ignore[arg-type]


@define(eq=False)
class Array(Rebuilt):
    """A NumPy array; `stored` is None until its state is set."""

    stored: Stored | None = None

    def set_state(self, state: Any) -> None:
        _, shape, kind, fortran, data = state
        self.stored = stored_array(data, kind, shape, "F" if fortran else "C")


def stored_array(data: Any, kind: ArrayType, shape: tuple[int, ...], order: str) -> Stored:
    """An array of NumPy's as a tensor.

    Args:
        data: the bytes of its elements.
        order: "C" (last axis fastest) or "F".

    Raises:
        Refused: shape and bytes do not agree, or it holds anything but numbers.
    """
    sides_fit = isinstance(shape, tuple) and len(shape) <= AXES_LIMIT and all(type(s) is int and s >= 0 for s in shape)
    if not (isinstance(kind, ArrayType) and isinstance(data, (bytes, bytearray)) and sides_fit and order in ("C", "F")):
        raise Refused("it is damaged: it holds an array of other things than numbers")
    if math.prod(shape) * kind.type.itemsize != len(data):
        raise Refused("it is damaged: one of its arrays has another size than its bytes")

    def read() -> torch.Tensor:
        values = np.frombuffer(data, kind.type).reshape(shape, order=order)  # type: ignore[call-overload]
        return torch.from_numpy(np.ascontiguousarray(values, kind.type.newbyteorder("=")).reshape(shape).copy())

    return Stored(shape, len(data), read)


def _array_type(code: Any, *_: Any) -> ArrayType:
    if code not in ARRAY_CODES:
        raise Refused("it holds an array of other things than numbers")
    return ArrayType(code)


def _array_from_buffer(data: Any, kind: Any, shape: Any, order: Any, axes: Any = None) -> Array:
    if axes is None:
        return Array(stored_array(data, kind, shape, order))
    return Array(stored_array(data, kind, shape, "C").permuted(*axes))  # neither C nor F, as of transposed arrays


def _number(kind: ArrayType, data: bytes) -> Any:
    values = np.frombuffer(data, kind.type)
    if values.shape != (1,):
        raise Refused("it is damaged: it holds a number of another size than its bytes")
    return values[0].item()


def _parameter(data: Any, *_: Any) -> Any:
    return data


def _dropped(*_: Any) -> None:
    """Paths, devices and the like in a record of options: nothing that weights depend on."""


def _tensor(storage: Any, offset: int, shape: Any, strides: Any, *_: Any) -> Stored:
    if not isinstance(storage, Storage):
        raise Refused("it is damaged: one of its tensors has no values")
    if not isinstance(shape, (tuple, list)) or not isinstance(strides, (tuple, list)) or len(shape) > AXES_LIMIT:
        raise Refused("it is damaged: it describes a tensor that cannot be")
    return view_of(storage, offset, tuple(shape), tuple(strides[: AXES_LIMIT + 1]))


def _persistent_network(meta: Any) -> Record:
    if not isinstance(meta, dict) or not isinstance(meta.get("state"), dict):
        raise Refused("it is damaged: one of its networks has no state")
    name = meta.get("class_name")
    return Record(name if isinstance(name, str) else "", meta["state"])  # module_src, source code, is dropped here


def _record(name: str) -> Callable[..., Record]:
    return lambda *_: Record(name)


def names(allowance: Allowance, load_storage: Callable[[bytes], Storage] | None) -> dict[str, Name]:
    """Everything that may be named.

    Args:
        allowance: pays for what stand-ins copy, so that no few bytes are copied many times.
        load_storage: reads what torch writes of a storage that is pickled by itself; None inside such a storage.
    """

    def items(values: Any) -> list[Any]:
        values = values.items() if isinstance(values, dict) else values
        if not isinstance(values, (list, tuple, type({}.items()))):
            raise Refused("it is damaged")
        allowance.spend(instructions=len(values))
        return list(values)

    def latin_bytes(text: str, encoding: str = "latin1") -> bytes:
        if encoding not in ("latin1", "latin-1"):
            raise Refused("it is damaged: it holds bytes in an unknown spelling")
        allowance.spend(size=len(text))
        return text.encode("latin-1")  # how pickles of the second protocol spell bytes

    def dictionary(pairs: Any = ()) -> dict[Any, Any]:
        return {checked_key(key): value for key, value in items(pairs)}

    builders: dict[str, Callable[..., Any] | None] = {
        "collections.OrderedDict": dictionary,
        "dnnlib.util.EasyDict": dictionary,
        "builtins.set": lambda values=(): set(map(checked_key, items(values))),
        "__builtin__.set": lambda values=(): set(map(checked_key, items(values))),
        "_codecs.encode": latin_bytes,
        "argparse.Namespace": _record("Namespace"),
        "pathlib.PosixPath": _dropped,
        "pathlib.WindowsPath": _dropped,
        "torch.device": _dropped,
        "torch.Size": lambda sides: tuple(items(sides)),
        "torch._utils._rebuild_tensor_v2": _tensor,
        "torch._utils._rebuild_tensor": _tensor,
        "torch._utils._rebuild_parameter": _parameter,
        "torch_utils.persistence._reconstruct_persistent_obj": _persistent_network,
        "dnnlib.tflib.network.Network": _record("Network"),
        "numpy.dtype": _array_type,
        "numpy.ndarray": None,
    }
    if load_storage is not None:
        builders["torch.storage._load_from_bytes"] = load_storage
    for package in ("numpy.core", "numpy._core"):
        builders[f"{package}.multiarray._reconstruct"] = lambda *_: Array()
        builders[f"{package}.multiarray.scalar"] = _number
        builders[f"{package}.numeric._frombuffer"] = _array_from_buffer
    for name in (*STORAGE_DTYPES, *DTYPE_NAMES):
        builders[f"torch.{name}"] = None
    return {path: Name(path, build) for path, build in builders.items()}


@frozen
class StorageId:
    """What torch writes in place of a storage: which elements, under which key, how many."""

    dtype: torch.dtype
    key: str
    count: int


def storage_id(identifier: Any) -> StorageId:
    """A persistent id of torch's.

    Raises:
        Refused: it is none, or of a kind of storage that weights have no need of.
    """
    if not isinstance(identifier, tuple) or len(identifier) < 5 or identifier[0] != "storage":
        raise Refused("it is damaged: it refers to something that is no tensor")
    _, kind, key, _, count, *views = identifier
    name = kind.path.partition(".")[2] if isinstance(kind, Name) else ""
    if name not in STORAGE_DTYPES or type(count) is not int or count < 0 or not isinstance(key, str) or any(views):
        raise Refused("it is damaged: it refers to values of an unknown kind")
    return StorageId(STORAGE_DTYPES[name], key, count)
