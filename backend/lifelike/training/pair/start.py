# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the paired training starts: fresh networks, or those of a bundle, grown to a higher resolution.

Growing is progressive growing's (Karras et al., arXiv 1710.10196, section 2): the new, finer layers start with nothing
to say, so that the grown networks give the smaller ones' pictures, enlarged.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from lifelike.bundles.bundle import Bundle
from lifelike.networks.encoder import Encoder, EncoderSettings
from lifelike.networks.stylegan2 import Generator, GeneratorSettings, SynthesisLayer
from lifelike_protocol.errors import ErrorCode, LifelikeError


def fresh_networks(
    generator: GeneratorSettings, encoder: EncoderSettings, weight_size: float
) -> tuple[Generator, Generator, Encoder]:
    """(photo, render, encoder): the generators alike, with one mapping network and the same noise buffers."""
    photo = Generator(generator)
    shrink_weights(photo, weight_size)
    render = copy.deepcopy(photo)
    render.mapping = photo.mapping
    return photo, render, Encoder(encoder)


def shrink_weights(generator: Generator, size: float) -> None:
    """Make the modulated convolutions' weights `size` times as large.

    Demodulation takes their size out again, so the pictures stay the same; but a step of the optimiser is larger
    beside smaller weights. A short run needs that.
    """
    with torch.no_grad():
        for module in generator.modules():
            if isinstance(module, SynthesisLayer):
                module.weight.mul_(size)


def grow(bundle: Bundle, photo: Generator, render: Generator, encoder: Encoder) -> None:
    """Give fresh networks the weights of a bundle's, of the same resolution or a smaller one.

    Raises:
        LifelikeError: INVALID_SETTING when the widths differ, the bundle's resolution is the higher one, or it is no
            generator pair with an encoder of this kind.
    """
    if bundle.card.resolution > photo.settings.resolution:
        raise LifelikeError(
            ErrorCode.INVALID_SETTING,
            f"The bundle {bundle.card.name} has {bundle.card.resolution} pixels, this run {photo.settings.resolution}.",
            "Start from a bundle of the same resolution or a smaller one.",
        )
    if bundle.render is None or not isinstance(bundle.encoder, Encoder):
        raise LifelikeError(
            ErrorCode.INVALID_SETTING,
            f"The bundle {bundle.card.name} has no generator pair with an encoder that was trained with it.",
            "Start from a bundle that `lifelike train pair` made, or from nothing.",
        )
    _fill(photo.mapping, bundle.photo.mapping.state_dict(), bundle)
    for name, target, source in (("photo", photo, bundle.photo), ("render", render, bundle.render)):
        known = source.synthesis.state_dict()
        new = _fill(target.synthesis, known, bundle)
        if any(not key.startswith(f"b{r}.") for key in new for r in target.settings.resolutions if f"b{r}." in known):
            raise _unlike(bundle, f"its {name} generator")
        _silence(target, [r for r in target.settings.resolutions if r > bundle.card.resolution])
    _fill(encoder, _grown_encoder(bundle.encoder, encoder), bundle)
    with torch.no_grad():
        for resolution, layers in encoder.to_features.items():
            if resolution not in bundle.encoder.to_features:
                for parameter in layers[-1].parameters():  # type: ignore[index]
                    parameter.zero_()


def _fill(network: nn.Module, known: dict[str, Tensor], bundle: Bundle) -> set[str]:
    """Copy what is known; returns the names of what is new.

    Raises:
        LifelikeError: INVALID_SETTING for a tensor of another shape, or of no use.
    """
    state = network.state_dict()
    for key, value in known.items():
        if key not in state or state[key].shape != value.shape:
            raise _unlike(bundle, key)
    network.load_state_dict(known, strict=False)
    return set(state) - set(known)


def _unlike(bundle: Bundle, what: str) -> LifelikeError:
    return LifelikeError(
        ErrorCode.INVALID_SETTING,
        f"The bundle {bundle.card.name} has other widths than this run ({what}).",
        "Give [generator] and [encoder] the bundle's widths, or start from nothing.",
    )


def _silence(generator: Generator, resolutions: list[int]) -> None:
    """New blocks add nothing to the picture yet."""
    with torch.no_grad():
        for resolution in resolutions:
            generator.synthesis.block(resolution).torgb.weight.zero_()


def _grown_encoder(small: Encoder, large: Encoder) -> dict[str, Tensor]:
    """The small encoder's tensors, the first convolution and the offsets made to fit the large one."""
    known = dict(small.state_dict())
    fold = (large.settings.patch // small.settings.patch) ** 2
    if fold > 1:  # reading a square of pixels gives what reading their mean gave
        known["stem.weight"] = known["stem.weight"].repeat_interleave(fold, 1) / fold
    missing = large.settings.num_ws - small.settings.num_ws
    for key in ("offsets.weight", "offsets.bias"):
        rows = known[key].unflatten(0, (small.settings.num_ws, small.settings.w_dim))
        known[key] = torch.cat([rows, rows[-1:].expand(missing, *rows.shape[1:])]).flatten(0, 1)
    return known
