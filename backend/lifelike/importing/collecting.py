# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads the tensors of one network out of a file, after all of them were compared with what the network needs."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from lifelike.importing.found import State
from lifelike.importing.refusal import TAKEN, Refused, printable
from lifelike.importing.stored import Stored
from lifelike.networks.unfilled import unfilled

Shapes = dict[str, tuple[int, ...]]


def shapes_of(build: Callable[[], nn.Module]) -> Shapes:
    """The tensors that a network has, without making them."""
    with unfilled():
        return {name: tuple(value.shape) for name, value in build().state_dict().items()}


def collect(stored: Mapping[str, Stored], needed: Shapes, size: int, network: str) -> State:
    """The tensors of a network, floating-point ones as float32.

    Args:
        stored: by the names of `needed`, no more and no fewer.
        size: bytes of the file.
        network: which one it is, for the sentence.

    Raises:
        Refused: a tensor is missing, left over, of another shape, or not finite.
    """
    for name, shape in needed.items():
        if name not in stored:
            raise Refused(f"its {network} lacks the tensor {name}", TAKEN)
        if stored[name].shape != shape:
            raise Refused(f"its {network}'s tensor {name} has the shape {stored[name].shape} instead of {shape}", TAKEN)
    left = [name for name in stored if name not in needed]
    if left:
        raise Refused(f"its {network} has tensors that such a network has not, as {printable(left[0])}", TAKEN)
    if sum(stored[name].size for name in needed) > size:
        raise Refused("it is damaged: its tensors are larger than itself")
    return {name: single(stored[name], name) for name in needed}


def single(stored: Stored, name: str) -> Tensor:
    """One tensor, contiguous and with memory of its own.

    Raises:
        Refused: it has values that are not finite.
    """
    value = stored.read()
    if value.is_floating_point():
        value = value.float()
        if not torch.isfinite(value).all():
            raise Refused(f"its tensor {name} has values that are not finite")
    own = value.contiguous()
    whole = own.untyped_storage().nbytes() == own.numel() * own.element_size()
    return own if whole else own.clone()


def under(stored: Mapping[str, Stored], prefix: str) -> dict[str, Stored]:
    """Those whose names begin with `prefix`, without it."""
    return {name.removeprefix(prefix): value for name, value in stored.items() if name.startswith(prefix)}


def tensors_in(value: object) -> dict[str, Stored]:
    """The tensors of a state dict; empty for anything else. "module.", which data-parallel training puts before every
    name, is left out."""
    if not isinstance(value, dict):
        return {}
    found = {name: entry for name, entry in value.items() if isinstance(name, str) and isinstance(entry, Stored)}
    return under(found, "module.") if found and all(name.startswith("module.") for name in found) else found


def checkpoint_tensors(value: object) -> dict[str, Stored]:
    """The tensors of a training checkpoint, {"state_dict": …, …}, or of a state dict alone, as `tensors_in`."""
    return tensors_in(value.get("state_dict") if isinstance(value, dict) else None) or tensors_in(value)
