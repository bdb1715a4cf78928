# SPDX-License-Identifier: GPL-3.0-or-later
"""From an ablation's settings to its variants: what each changes, and the trainings it needs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from attrs import evolve, frozen

from lifelike.evaluation.ablation.settings import VARIANTS, AblationSettings
from lifelike.training.encoder.settings import EncoderTraining
from lifelike.training.photo.settings import PhotoSettings
from lifelike.training.render.settings import RenderSettings
from lifelike.training.settings import read_settings
from lifelike_protocol.errors import ErrorCode, LifelikeError


@frozen
class Variant:
    """One row of the table.

    changes: the settings that differ from the first variant's, as "key=value".
    folder: of its trainings; variants that train the same share it.
    """

    name: str
    changes: tuple[str, ...]
    settings: AblationSettings
    folder: Path


def read_variants(config: Path | None, changes: Sequence[str], folder: Path) -> list[Variant]:
    """All variants of a configuration, in the table's order.

    Args:
        changes: of every variant, as `read_settings` takes them. folder: of the whole ablation.

    Raises:
        LifelikeError: as `read_settings`, naming the variant; INVALID_SETTING for one that is unknown or named twice.
    """
    base = read_settings(AblationSettings, config, changes)
    variants: list[Variant] = []
    for name, changed in _chosen(base):
        try:
            settings = read_settings(AblationSettings, config, [*changes, *changed])
        except LifelikeError as error:
            raise LifelikeError(error.code, f"The variant {name!r} cannot be: {error.what}", error.remedy) from error
        settings = evolve(settings, variants=(), changes={})
        place = folder / _slug(name)
        if variants and _shared(settings) != _shared(variants[0].settings):
            what = f"The variant {name!r} changes the data or the photo generator, which all variants share."
            raise LifelikeError(ErrorCode.INVALID_SETTING, what, "Make another ablation of it.")
        place = next((other.folder for other in variants if _trained(other.settings) == _trained(settings)), place)
        variants.append(Variant(name, tuple(changed), settings, place))
    return variants


def _chosen(base: AblationSettings) -> list[tuple[str, tuple[str, ...]]]:
    unknown = [name for name in base.variants if name not in VARIANTS]
    if unknown:
        what = f"There is no variant {unknown[0]!r}."
        remedy = f"Choose among {', '.join(VARIANTS)}, or describe it in the table [changes]."
        raise LifelikeError(ErrorCode.INVALID_SETTING, what, remedy)
    chosen = [(name, VARIANTS[name]) for name in base.variants] + list(base.changes.items())
    slugs = [_slug(name) for name, _ in chosen]
    twice = [name for (name, _), slug in zip(chosen, slugs, strict=True) if slugs.count(slug) > 1 or not slug]
    if twice:
        what = f"The variant {twice[0]!r} has no name of its own."
        raise LifelikeError(ErrorCode.INVALID_SETTING, what, "Give every variant another name, with letters in it.")
    if not chosen:
        raise LifelikeError(ErrorCode.INVALID_SETTING, "No variant is named.", "Name some in `variants` or [changes].")
    return chosen


def _shared(settings: AblationSettings) -> object:
    """What must be the same in all variants."""
    return settings.data, settings.generator, settings.photo, settings.pictures


def _trained(settings: AblationSettings) -> object:
    """What decides which networks come out."""
    return settings.render, settings.encoder, settings.identity


def _slug(name: str) -> str:
    """The folder's name."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def photo_settings(settings: AblationSettings) -> PhotoSettings:
    """Of the photo generator's training, which all variants share."""
    return evolve(settings.photo, data=settings.data, look="photo")


def render_settings(settings: AblationSettings, generator: str) -> RenderSettings:
    """Of a variant's fine-tuning."""
    return evolve(settings.render, data=settings.data, start=generator, identity=settings.identity)


def encoder_settings(settings: AblationSettings, generator: str, render: Path) -> EncoderTraining:
    """Of a variant's encoder, trained against its own render generator and the photo generator."""
    return evolve(settings.encoder, data=settings.data, photo=generator, render=str(render), identity=settings.identity)
