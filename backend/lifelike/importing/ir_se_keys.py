# SPDX-License-Identifier: GPL-3.0-or-later
"""The sizes of an IR-SE trunk, told by its tensors (names: `networks/ir_se.py`)."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby

from lifelike.importing.refusal import TAKEN, Refused
from lifelike.importing.stored import Stored

UNITS_LIMIT = 200
WIDTH_LIMIT = 4096


def trunk_sizes(stored: Mapping[str, Stored]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Widths and numbers of units of the four stages.

    Raises:
        Refused: it is another trunk: without channel weights, or of other stages.
    """
    outputs: list[int] = []
    while (weight := stored.get(f"body.{len(outputs)}.res_layer.1.weight")) is not None:
        if len(weight.shape) != 4 or not 0 < weight.shape[0] <= WIDTH_LIMIT or len(outputs) >= UNITS_LIMIT:
            raise Refused("its layers are of widths that no IR-SE network has", TAKEN)
        outputs.append(weight.shape[0])
    if "body.0.res_layer.5.fc1.weight" not in stored:
        raise Refused("it is an IR network without squeeze and excitation, not an IR-SE", TAKEN)
    stages = [(width, len(list(units))) for width, units in groupby(outputs)]
    if len(stages) != 4:
        raise Refused("its layers are of widths that no IR-SE network has", TAKEN)
    return tuple(width for width, _ in stages), tuple(count for _, count in stages)
