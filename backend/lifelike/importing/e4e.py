# SPDX-License-Identifier: GPL-3.0-or-later
"""e4e checkpoints: {state_dict, latent_avg, opts}; the state dict has the encoder and the generator it was trained for.

The encoder's names are those of this project after "encoder."; the generator's are rosinality's after "decoder.".
pSp's encoder has the same tensors and computes something else, so that the options are looked at too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from lifelike.importing.collecting import checkpoint_tensors, collect, shapes_of, single, under
from lifelike.importing.found import Contents, Found, State
from lifelike.importing.ir_se_keys import trunk_sizes
from lifelike.importing.pickled_names import Record
from lifelike.importing.refusal import TAKEN, Refused, printable
from lifelike.importing.rosinality import is_generator, read_rosinality_generator
from lifelike.importing.stored import Stored
from lifelike.networks.e4e import E4eSettings
from lifelike.networks.encoders import build_encoder
from lifelike.networks.stylegan2 import GeneratorSettings

FORMAT = "e4e checkpoint"
ENCODER = "Encoder4Editing"
"""What the options call this encoder."""
LAYERS_LIMIT = 64
CONVOLUTIONS_LIMIT = 8


def read(contents: Contents) -> Found | None:
    """Encoder and generator, or None where this is no such file.

    Raises:
        Refused: it is one, but of another encoder or damaged.
    """
    value = contents.value if isinstance(contents.value, dict) else {}
    given = checkpoint_tensors(value)
    encoder, decoder = under(given, "encoder."), under(given, "decoder.")
    if "input_layer.0.weight" not in encoder or "styles.0.linear.weight" not in encoder:
        return None
    notes = _check_options(value.get("opts"))
    mean, generator = value.get("latent_avg"), None
    if is_generator(decoder):
        settings, state, more = read_rosinality_generator(decoder, mean, contents.size)
        generator, notes = (settings, state), notes + more
    settings_and_state = _encoder(encoder, mean, generator, contents.size)
    return Found(format=FORMAT, encoder=settings_and_state, generator=generator, notes=notes)


def _check_options(options: Any) -> tuple[str, ...]:
    """Sentences a person should read; Refused where the options name another encoder."""
    values = options.state if isinstance(options, Record) else options
    kind = values.get("encoder_type") if isinstance(values, dict) else None
    if kind is None:
        return ("It does not say which encoder it is; it is taken for e4e's.",)
    if kind != ENCODER:
        raise Refused(f"its encoder is {printable(kind)}, and only e4e's ({ENCODER}) is known here", TAKEN)
    return ()


def _encoder(
    given: Mapping[str, Stored], mean: object, generator: tuple[GeneratorSettings, State] | None, size: int
) -> tuple[E4eSettings, State]:
    settings = _settings(given)
    shapes = shapes_of(lambda: build_encoder(settings))
    layers = shapes.pop("w_avg")
    state = collect(given, shapes, size, "encoder")
    if isinstance(mean, Stored):
        if mean.shape not in (layers, layers[1:], (1, *layers[1:])):
            raise Refused(f"its latent_avg has the shape {mean.shape} instead of {layers}", TAKEN)
        average = single(mean, "latent_avg")
    elif generator is not None:
        average = generator[1]["mapping.w_avg"]
    else:
        raise Refused("it has no mean latent (latent_avg), and no generator that would give one", TAKEN)
    return settings, {**state, "w_avg": average.expand(layers).clone(memory_format=torch.contiguous_format)}


def _settings(given: Mapping[str, Stored]) -> E4eSettings:
    first = given["input_layer.0.weight"].shape
    if first[1:2] != (3,):
        raise Refused(f"its encoder reads pictures of {first[1:2]} channels instead of 3", TAKEN)
    widths, blocks = trunk_sizes(given)
    layers = _count(given, "styles.{}.linear.weight", LAYERS_LIMIT)
    convolutions = _count(given, "styles.0.convs.{}.weight", CONVOLUTIONS_LIMIT, step=2)
    w_dim = given["styles.0.linear.weight"].shape[:1]
    try:
        return E4eSettings(16 * 2**convolutions, layers, w_dim[0], widths, blocks)
    except (ValueError, IndexError) as error:
        raise Refused("its encoder is of sizes that no e4e encoder has", TAKEN) from error


def _count(given: Mapping[str, Stored], name: str, limit: int, step: int = 1) -> int:
    """How many tensors there are of a name that has a number, counted in steps."""
    count = 0
    while name.format(count * step) in given:
        count += 1
        if count > limit:
            raise Refused("its encoder is of sizes that no e4e encoder has", TAKEN)
    return count
