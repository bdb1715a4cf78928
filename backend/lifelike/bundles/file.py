# SPDX-License-Identifier: GPL-3.0-or-later
"""A bundle on disk: one safetensors file with the card in its metadata, or a folder with both side by side.

NAME.safetensors                     card under the metadata key "lifelike_card"
NAME/card.json, NAME/weights.safetensors
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from lifelike.bundles.card import BundleCard, card_from_json, card_to_json
from lifelike.hashing import file_sha256
from lifelike.networks.weights import save_tensors
from lifelike_protocol.errors import ErrorCode, LifelikeError

CARD_KEY = "lifelike_card"
SIZE_LIMIT = 4 << 30
"""Bytes; no bundle of this format comes near, so that a larger file is refused before it is read."""

MAPPED_AT_ONCE = 256 << 20  # bytes

NUMBERS = {torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.int64}
"""What tensors of a bundle may consist of; whole numbers only count batches."""


def _invalid(path: Path, why: object) -> LifelikeError:
    return LifelikeError(
        ErrorCode.INVALID_BUNDLE,
        f"The bundle {path.name} cannot be used: {why}.",
        "Install it again, or choose another bundle.",
    )


def weights_file(path: Path) -> Path:
    """The safetensors file of the bundle at `path`, a file or a folder."""
    return path / "weights.safetensors" if path.is_dir() else path


def bundle_sha256(path: Path) -> str:
    """SHA-256 of the weights file, as hexadecimal."""
    return file_sha256(weights_file(path))


def read_card(path: Path) -> BundleCard:
    """Read only the card.

    Raises:
        LifelikeError: INVALID_BUNDLE when there is none or it is broken.
    """
    try:
        if path.is_dir():
            return card_from_json((path / "card.json").read_text("utf-8"), path.name)
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
    except (OSError, SafetensorError, UnicodeDecodeError) as error:
        raise _invalid(path, error) from error
    if CARD_KEY not in metadata:
        raise _invalid(path, "it has no card")
    return card_from_json(metadata[CARD_KEY], path.name)


def read_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """The shape of every tensor of a bundle; none of them is read.

    Raises:
        LifelikeError: INVALID_BUNDLE for a damaged file or one of absurd size.
    """
    file = weights_file(path)
    try:
        if file.stat().st_size > SIZE_LIMIT:
            raise _invalid(path, f"its file is larger than {SIZE_LIMIT >> 30} GiB")
        with safe_open(file, framework="pt") as opened:
            return {name: tuple(opened.get_slice(name).get_shape()) for name in opened.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise _invalid(path, error) from error


def read_tensors(path: Path, names: Iterable[str]) -> dict[str, Tensor]:
    """Tensors of a bundle, half precision widened to float32, convolutions with channels last.

    They are copies, so that the file is not held open, and the file is opened anew now and then, since what was read
    of it counts as memory until it is closed: a bundle takes its size in memory once.

    Raises:
        LifelikeError: INVALID_BUNDLE for a damaged file, a missing tensor, other types of numbers, or values that
            are not finite.
    """
    tensors: dict[str, Tensor] = {}
    file = weights_file(path)
    left = list(reversed(list(names)))
    while left:
        taken = 0
        try:
            with safe_open(file, framework="pt") as opened:
                while left and taken < MAPPED_AT_ONCE:
                    name = left.pop()
                    stored = opened.get_tensor(name)
                    if stored.dtype not in NUMBERS:
                        raise _invalid(path, f"its tensor {name} is of the type {stored.dtype}")
                    if stored.is_floating_point() and not all(end.isfinite() for end in stored.aminmax()):
                        raise _invalid(path, f"its tensor {name} has values that are not finite")
                    tensors[name] = _copied(stored)
                    taken += stored.nbytes
        except (OSError, SafetensorError) as error:
            raise _invalid(path, error) from error
    return tensors


def _stored(value: Tensor, half: bool) -> Tensor:
    value = value.contiguous()
    if not value.is_floating_point():
        return value
    if half and bool((halved := value.half()).isfinite().all()):
        return halved
    return value.float()


def _copied(stored: Tensor) -> Tensor:
    dtype = torch.float32 if stored.is_floating_point() else stored.dtype
    form = torch.channels_last if stored.ndim == 4 else torch.contiguous_format
    return stored.to(dtype, copy=True, memory_format=form)


def write_bundle(path: Path, card: BundleCard, tensors: dict[str, Tensor]) -> None:
    """Write a one-file bundle, floating-point tensors in the card's precision, whole or not at all.

    A tensor that half precision cannot hold (its numbers end at 65504) keeps single precision.

    Raises:
        OSError: the file cannot be written; what was there before still is.
    """
    stored = {name: _stored(value.detach().cpu(), card.precision == "half") for name, value in tensors.items()}
    save_tensors(path, stored, {CARD_KEY: card_to_json(card)})
