# SPDX-License-Identifier: GPL-3.0-or-later
"""One network in one safetensors file, with its settings as metadata."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import attrs
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from lifelike.whole_files import written_whole
from lifelike_protocol.errors import ErrorCode, LifelikeError


def save_weights(file: Path, network: nn.Module, kind: str, card: dict[str, Any], half: bool = False) -> None:
    """Write a network's state, whole or not at all.

    Args:
        file: written under a temporary name in the same folder, then renamed.
        network: any network whose ``settings`` are a plain dictionary or an attrs class of plain values.
        kind: which network this is, e.g. ``identity``; checked on loading.
        card: anything JSON can hold: training settings, measured numbers.
        half: store floating-point tensors as fp16.

    Raises:
        OSError: the file cannot be written; what was there before still is.
    """
    tensors = {}
    for name, value in network.state_dict().items():
        stored = value.half() if half and value.is_floating_point() else value
        tensors[name] = stored.detach().cpu().contiguous()
    settings: Any = network.settings
    if not isinstance(settings, dict):
        settings = attrs.asdict(settings)
    metadata = {"kind": kind, "settings": json.dumps(settings), "card": json.dumps(card)}
    save_tensors(file, tensors, metadata)


def save_tensors(file: Path, tensors: dict[str, Tensor], metadata: dict[str, str]) -> None:
    """Write a safetensors file, whole or not at all; errors as `save_weights`."""
    with written_whole(file) as unfinished:
        try:
            save_file(tensors, unfinished, metadata)
        except SafetensorError as error:  # a full disk, among others
            raise OSError(None, f"{error}") from error


def load_weights(file: Path, kind: str) -> tuple[dict[str, Any], dict[str, Tensor], dict[str, Any]]:
    """Read what `save_weights` wrote: (settings, state as fp32, card).

    Raises:
        LifelikeError: INVALID_FILE when the file is missing, damaged, or of another kind.
    """
    remedy = f"Give a file written by the training of the {kind} network."
    try:
        with safe_open(file, framework="pt") as opened:
            metadata = opened.metadata() or {}
            state = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118 (not a mapping)
        settings, card = json.loads(metadata["settings"]), json.loads(metadata["card"])
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        what = f"The network file {file} cannot be read ({error})."
        raise LifelikeError(ErrorCode.INVALID_FILE, what, remedy) from error
    if metadata.get("kind") != kind:
        what = f"The file {file} holds a network of kind {metadata.get('kind')!r}, not {kind!r}."
        raise LifelikeError(ErrorCode.INVALID_FILE, what, remedy)
    return settings, {n: v.float() if v.dtype == torch.float16 else v for n, v in state.items()}, card
