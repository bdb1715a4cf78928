# SPDX-License-Identifier: GPL-3.0-or-later
"""The terms that hold the copy to its parent: one latent, two pictures, one person.

For a = G_render(w) and b = G_photo(w) with the same noise. Stated (abstract of arXiv 2310.04194): the training "helps
to preserve the geometric and color features relevant to facial identity"; every form here is reconstructed, its source
in `lifelike.training.losses`.
"""

from __future__ import annotations

import torch
from attrs import field, frozen
from torch import Tensor, nn

from lifelike.networks.stylegan2 import SynthesisNetwork
from lifelike.training.losses.colour import histogram_distance, low_passed_lab
from lifelike.training.losses.features import activations
from lifelike.training.losses.geometry import edge_distance
from lifelike.training.losses.identity import identity
from lifelike.training.losses.structure import coarse_pictures
from lifelike.training.render.settings import BalanceSettings, TermSettings
from lifelike_protocol.errors import ErrorCode, LifelikeError

BALANCED = ("identity", "geometry", "colour", "structure", "features", "paired")
"""Terms whose weight can set itself beside the adversarial one's."""


@frozen
class Shown:
    """What a generator made of one batch of codes.

    picture: [N3RR]. coarse: {resolution: RGB so far [N3rr]}. features: {resolution: activations [NCrr]}.
    """

    picture: Tensor
    coarse: dict[int, Tensor] = field(factory=dict)
    features: dict[int, Tensor] = field(factory=dict)


class ParentTerms:
    """Which terms are on, and their values for a pair of pictures.

    Args:
        settings: weights; a term of weight 0 is not computed.
        resolutions: of the generators.
        region: [11RR], where colours are compared.
        embedder: identity network, frozen; None leaves the identity term out.
    """

    def __init__(
        self, settings: TermSettings, resolutions: tuple[int, ...], region: Tensor, embedder: nn.Module | None
    ) -> None:
        self.settings, self.region, self.embedder = settings, region, embedder
        self.coarse = settings.structure_resolutions if settings.structure > 0 else ()
        wanted = settings.feature_resolutions or resolutions
        self.features = wanted if settings.features > 0 else ()
        self.on = any(
            (settings.identity > 0 and embedder, settings.geometry > 0, settings.colour > 0, self.coarse, self.features)
        )

    def show(self, synthesis: SynthesisNetwork, ws: Tensor) -> Shown:
        """Make pictures with the stored noise and keep what the terms compare."""
        coarse: dict[int, Tensor] = {}
        features: dict[int, Tensor] = {}

        def keep(resolution: int, x: Tensor, rgb: Tensor) -> None:
            if resolution in self.coarse:
                coarse[resolution] = rgb
            if resolution in self.features:
                features[resolution] = x

        return Shown(synthesis(ws, observe=keep), coarse, features)

    def values(self, copy: Shown, parent: Shown) -> dict[str, Tensor]:
        """Unweighted terms by name; gradients reach what made `copy` alone if `parent` was made without a graph."""
        s = self.settings
        terms: dict[str, Tensor] = {}
        if s.identity > 0 and self.embedder is not None:
            with torch.no_grad():
                target = self.embedder(parent.picture)
            terms["identity"] = identity(self.embedder(copy.picture), target)
        with torch.autocast(
            copy.picture.device.type, enabled=False
        ):  # edges and colours are differences of near values
            if s.geometry > 0:
                terms["geometry"] = edge_distance(copy.picture, parent.picture, scales=s.geometry_scales)
            if s.colour > 0:
                distance = low_passed_lab if s.colour_form == "lab" else histogram_distance
                terms["colour"] = distance(copy.picture, parent.picture, self.region)
        if self.coarse:
            terms["structure"] = coarse_pictures(_of(copy.coarse), _of(parent.coarse))
        if self.features:
            terms["features"] = activations(_of(copy.features), _of(parent.features))
        return terms


def _of(tensors: dict[int, Tensor]) -> list[Tensor]:
    return [tensors[resolution] for resolution in sorted(tensors)]


def check_terms(settings: TermSettings, balance: BalanceSettings, resolutions: tuple[int, ...]) -> None:
    """Refuse what the generators do not have.

    Raises:
        LifelikeError: INVALID_SETTING naming the key.
    """
    for key in ("structure_resolutions", "feature_resolutions"):
        for resolution in getattr(settings, key):
            if resolution not in resolutions:
                what = f"The setting terms.{key} names {resolution}, and the generator has no block of that resolution."
                remedy = f"Choose among {', '.join(map(str, resolutions))}."
                raise LifelikeError(ErrorCode.INVALID_SETTING, what, remedy)
    for name in balance.terms:
        if name not in BALANCED:
            what = f"The setting balance.terms names {name!r}, and there is no such term to be balanced."
            raise LifelikeError(ErrorCode.INVALID_SETTING, what, f"Choose among {', '.join(BALANCED)}.")
    if balance.low > balance.high:
        what = f"The setting balance.low is {balance.low}, above balance.high, {balance.high}."
        raise LifelikeError(ErrorCode.INVALID_SETTING, what, "Choose a smaller one.")
