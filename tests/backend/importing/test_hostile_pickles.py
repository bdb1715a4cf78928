# SPDX-License-Identifier: GPL-3.0-or-later
"""Pickles made to run code, to fill the memory or never to end are refused at once, by what is wrong with them."""

from __future__ import annotations

import io
import os
import pickle
import struct
import zipfile
from pathlib import Path
from typing import Any

import foreign_files as foreign
import numpy as np
import pytest
import torch

from lifelike.importing import nvidia_tensorflow, nvidia_torch, read_foreign
from lifelike.importing.byte_source import ByteSource
from lifelike.importing.found import Contents
from lifelike.importing.pickled_names import Record
from lifelike.importing.refusal import Refused
from lifelike.importing.restricted_pickle import Allowance, RestrictedUnpickler
from lifelike.importing.torch_file import read_pickle
from lifelike_protocol.errors import ErrorCode, LifelikeError

PROTOCOL = b"\x80\x04"


class Command:
    """Runs a shell command when it is unpickled by pickle itself."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> Any:
        return os.system, (self.command,)


def unpickled(data: bytes) -> Any:
    return read_pickle(io.BytesIO(data), len(data))


def refusal(data: bytes) -> str:
    with pytest.raises(Refused) as caught:
        unpickled(data)
    return caught.value.why


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_a_command_is_refused_by_its_name_and_not_run(tmp_path: Path, protocol: int) -> None:
    canary = tmp_path / "canary"
    data = pickle.dumps({"G_ema": Command(f"touch {canary}")}, protocol=protocol)
    (tmp_path / "weights.pkl").write_bytes(data)
    with pytest.raises(LifelikeError, match=f"names {os.name}.system"):
        read_foreign(tmp_path / "weights.pkl")
    assert not canary.exists()
    pickle.loads(data)  # the canary does sing, where pickle itself reads the file
    assert canary.exists()


@pytest.mark.parametrize("zipped", [True, False])
def test_a_command_among_tensors_is_refused(tmp_path: Path, zipped: bool) -> None:
    canary = tmp_path / "canary"
    foreign.save_torch(tmp_path / "a", {"g_ema": {"x": torch.ones(2)}, "extra": Command(f"touch {canary}")}, zipped)
    with pytest.raises(LifelikeError, match=r"system"):
        read_foreign(tmp_path / "a")
    assert not canary.exists()


def test_source_code_that_travels_with_networks_is_not_run(tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    source = f"open({str(canary)!r}, 'w').write('sung')"
    foreign.write_nvidia_torch(tmp_path / "torch.pkl", foreign.small_generator(), source=source)
    foreign.write_nvidia_tensorflow(
        tmp_path / "tf.pkl", foreign.small_generator(), foreign.small_discriminator(), source=source
    )
    for name in ("torch.pkl", "tf.pkl"):
        assert source.encode() in (tmp_path / name).read_bytes()
        assert read_foreign(tmp_path / name).generator is not None
    assert not canary.exists()


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("builtins", "eval"),
        ("builtins", "getattr"),
        ("torch", "load"),
        ("torch.hub", "load_state_dict_from_url"),
        ("numpy", "load"),
        ("collections", "OrderedDict.__init__"),
        ("pickle", "loads"),
    ],
)
def test_other_names_are_refused_by_name(module: str, name: str) -> None:
    data = PROTOCOL + b"c" + f"{module}\n{name}\n".encode() + b"."
    assert refusal(data) == f"it names {module}.{name}, which weights have no need of"


def test_terminal_codes_in_a_name_do_not_reach_the_terminal() -> None:
    assert "\x1b" not in refusal(PROTOCOL + b"c\x1b[2Jmodule\nname\n.")


@pytest.mark.parametrize("opcode", [b"\x82\x01", b"Pid\n", b"(ios\nsystem\n", b"(o", b"(\x91", b"\x97"])
def test_instructions_without_need_are_refused(opcode: bytes) -> None:
    assert "instruction" in refusal(PROTOCOL + opcode + b".")


@pytest.mark.parametrize(
    "data",
    [
        b"\x8d" + struct.pack("<Q", 1 << 40) + b"x.",  # text
        b"\x8e" + struct.pack("<Q", 1 << 40) + b"x.",  # bytes
        b"\x96" + struct.pack("<Q", 1 << 40) + b"x.",  # a byte array, which pickle makes before it reads
        b"\x8b" + struct.pack("<i", (1 << 31) - 1) + b"x.",  # a number
        b"Nr" + struct.pack("<I", 0xFFFFFFFF) + b".",  # a memo index, for which pickle makes 64 GiB of places
    ],
)
def test_lengths_are_not_believed(data: bytes) -> None:
    refusal(PROTOCOL + data)


def test_a_pickle_of_very_many_parts_ends() -> None:
    data = PROTOCOL + b"]" * 2000 + b"."
    with pytest.raises(Refused, match="parts"):
        RestrictedUnpickler(ByteSource(io.BytesIO(data), len(data)), {}, Allowance(len(data), 1000)).load()


def test_doubling_copies_is_not_paid_for_ever() -> None:
    ordered = b"ccollections\nOrderedDict\n"
    pairs = b"(" + b"K\x01K\x02\x86" * 5000 + b"lq\x00"
    copies = ordered + b"h\x00\x85R" + b"0"
    assert "parts" in refusal(PROTOCOL + pairs + copies * 1000 + b".")


def test_keys_that_would_take_ages_to_hash_are_refused() -> None:
    doubled = b")" + b"2\x86" * 60  # a tuple of itself twice, sixty times: 2⁶⁰ parts to hash
    assert "keys" in refusal(PROTOCOL + b"}" + doubled + b"Ns.")


def test_an_endless_value_is_not_shown(tmp_path: Path) -> None:
    value: Any = []
    for _ in range(60):
        value = [value, value]  # 2⁶⁰ brackets to write out
    state = {f"encoder.{k}": v for k, v in foreign.small_e4e().state_dict().items()}
    foreign.save_torch(tmp_path / "a", {"state_dict": state, "opts": {"encoder_type": value}})
    with pytest.raises(LifelikeError, match="its encoder is list"):
        read_foreign(tmp_path / "a")


def test_an_endless_value_is_no_name() -> None:
    assert refusal(PROTOCOL + b"]" + b"q\x00(h\x00h\x00l" * 60 + b"\x8c\x01x\x93.") == "it is damaged"


def test_one_network_in_many_places_is_not_walked_for_ever(tmp_path: Path) -> None:
    foreign.write_nvidia_torch(tmp_path / "a", foreign.small_generator())
    data = (tmp_path / "a").read_bytes()
    inner = unpickled(data)["G_ema"]
    for _ in range(6):
        inner = Record("Layer", {"_modules": {f"m{index}": inner for index in range(40)}})
    with pytest.raises(Refused, match="parts"):
        nvidia_torch.read(Contents({"G_ema": inner}, len(data)))
    network = Record("Network", {"variables": [("x", 1.0)] * 1000, "version": 4, "static_kwargs": {}})
    for _ in range(2):
        network = Record("Network", {**network.state, "components": {str(index): network for index in range(1000)}})
    with pytest.raises(Refused, match="parts"):
        nvidia_tensorflow.read(Contents((network, network, network), len(data)))


def test_storages_inside_storages_are_refused() -> None:
    inner = io.BytesIO()
    torch.save(torch.ones(1), inner, _use_new_zipfile_serialization=False)
    load = b"ctorch.storage\n_load_from_bytes\n"
    nested = PROTOCOL + load + b"B" + struct.pack("<I", len(inner.getvalue())) + inner.getvalue() + b"\x85R."
    data = PROTOCOL + load + b"B" + struct.pack("<I", len(nested)) + nested + b"\x85R."
    assert "_load_from_bytes" in refusal(data)


def test_a_tensor_that_repeats_few_values_is_refused(tmp_path: Path) -> None:
    foreign.save_torch(tmp_path / "a", {"g_ema": {"input.input": torch.ones(1).expand(1 << 40)}})
    with pytest.raises(LifelikeError, match="larger than the bytes"):
        read_foreign(tmp_path / "a")


def test_many_tensors_of_the_same_few_values_are_refused(tmp_path: Path) -> None:
    generator = foreign.small_generator()
    values = torch.ones(max(value.numel() for value in generator.state_dict().values()))
    state = {name: values[: value.numel()].reshape(value.shape) for name, value in generator.state_dict().items()}
    foreign.save_torch(tmp_path / "a", {"g_ema": foreign.rosinality_generator(state), "latent_avg": torch.ones(8)})
    with pytest.raises(LifelikeError, match="larger than itself"):
        read_foreign(tmp_path / "a")


def test_a_storage_larger_than_its_entry_is_refused(tmp_path: Path) -> None:
    foreign.save_torch(tmp_path / "a", {"g_ema": {"input.input": torch.ones(77)}})
    with zipfile.ZipFile(tmp_path / "a") as archive, zipfile.ZipFile(tmp_path / "b", "w") as changed:
        for name in archive.namelist():
            data = archive.read(name)
            changed.writestr(name, data[:-4] if name.endswith("/data/0") else data)
    with pytest.raises(LifelikeError, match="larger than the bytes"):
        read_foreign(tmp_path / "b")


def test_compressed_archives_are_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", pickle.dumps("x" * (1 << 24), protocol=2))
    with pytest.raises(LifelikeError, match="packed"):
        read_foreign(tmp_path / "a")


def test_arrays_of_objects_are_refused() -> None:
    assert "numbers" in refusal(pickle.dumps(np.array([{}, []], dtype=object), protocol=4))


def test_a_missing_end_is_refused(tmp_path: Path) -> None:
    foreign.write_rosinality(tmp_path / "whole", foreign.small_generator(), zipped=False)
    whole = (tmp_path / "whole").read_bytes()
    for share in (0.1, 0.5, 0.999):
        (tmp_path / "part").write_bytes(whole[: int(len(whole) * share)])
        with pytest.raises(LifelikeError) as caught:
            read_foreign(tmp_path / "part")
        assert caught.value.code is ErrorCode.INVALID_FILE
