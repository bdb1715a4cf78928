# SPDX-License-Identifier: GPL-3.0-or-later
"""ArcFace IR-SE networks of InsightFace_Pytorch: a state dict whose names are those of this project."""

from __future__ import annotations

from lifelike.importing.collecting import checkpoint_tensors, collect, shapes_of
from lifelike.importing.found import Contents, Found
from lifelike.importing.ir_se_keys import trunk_sizes
from lifelike.importing.refusal import TAKEN, Refused
from lifelike.networks.arcface import ARCFACE_SETTINGS
from lifelike.networks.identities import build_identity

FORMAT = "ArcFace IR-SE state dict"
EMBEDDING_LIMIT = 4096


def read(contents: Contents) -> Found | None:
    """The network, or None where this is no such file.

    Raises:
        Refused: it is one, but of another trunk or damaged.
    """
    given = checkpoint_tensors(contents.value)
    if "input_layer.0.weight" not in given or "output_layer.3.weight" not in given:
        return None
    widths, blocks = trunk_sizes(given)
    embedding = given["output_layer.3.weight"].shape[:1]
    if not embedding or not 0 < embedding[0] <= EMBEDDING_LIMIT:
        raise Refused("its embedding is of a size that no such network has", TAKEN)
    settings = {**ARCFACE_SETTINGS, "widths": list(widths), "blocks": list(blocks), "embedding": embedding[0]}
    shapes = shapes_of(lambda: build_identity(settings))
    return Found(format=FORMAT, identity=(settings, collect(given, shapes, contents.size, "recogniser")))
