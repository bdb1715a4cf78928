# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads what a paired training is trained on, and the pairs that stand in its sample sheets."""

from __future__ import annotations

from pathlib import Path

from lifelike.datasets.identities import identity_range
from lifelike.datasets.pairs import Pairs, load_faces, load_pairs
from lifelike.training.pair.batches import TrainingData
from lifelike.training.pair.settings import PairData
from lifelike_protocol.errors import ErrorCode, LifelikeError


def load_training_data(settings: PairData, resolution: int) -> tuple[TrainingData, Pairs]:
    """(what is trained on, held-out pairs).

    Raises:
        LifelikeError: INVALID_SETTING without any pairs; INVALID_FILE for an unreadable set.
    """
    if not settings.pairs:
        what = "A paired training needs at least one data set with both looks."
        raise LifelikeError(ErrorCode.INVALID_SETTING, what, "Name its folder: --set data.pairs=DIR.")
    reserved = identity_range(settings.reserved)
    cache = Path(settings.cache).expanduser() if settings.cache else None
    pairs = load_pairs([Path(folder).expanduser() for folder in settings.pairs], resolution, cache)
    faces = [Path(folder).expanduser() for folder in settings.faces]
    alone = load_faces(faces, resolution, cache) if faces else None
    training, held_out = pairs.training(reserved), pairs.reserved(reserved)
    if not len(training):
        what = f"Every pair in {', '.join(settings.pairs)} is of a reserved identity ({settings.reserved})."
        raise LifelikeError(ErrorCode.INVALID_SETTING, what, "Change data.reserved, or add data sets.")
    return TrainingData(training, alone), held_out if len(held_out) else training
