# SPDX-License-Identifier: GPL-3.0-or-later
"""NVIDIA's TensorFlow pickles: stylegan2 and stylegan2-ada.

Three networks (G, D, Gs), each with version, options, variables and components; Gs has the averaged weights. Dense
weights are stored [inputs, outputs] and convolutions [height, width, inputs, outputs]; style biases without the 1 that
is added to them; the up-sampling convolutions mirrored, since there they are written as convolutions, here as
correlations.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor

from lifelike.importing.found import Contents, Found
from lifelike.importing.pickled_names import Array, Record
from lifelike.importing.refusal import TAKEN, Refused, printable
from lifelike.importing.stored import Stored
from lifelike.importing.stylegan2_keys import optional_discriminator, read_generator

FORMAT = "NVIDIA TensorFlow pickle"
NETWORK = "Network"
OLDEST = 4
"""Version of the pickles that StyleGAN2 came with; earlier ones hold StyleGAN and ProGAN."""
PARTS_LIMIT = 5000
USUAL_OPTIONS: dict[str, Any] = {
    "label_size": 0,
    "num_channels": 3,
    "nonlinearity": "lrelu",
    "mapping_nonlinearity": "lrelu",
    "mapping_lrmul": 0.01,
    "normalize_latents": True,
    "resample_kernel": [1, 3, 3, 1],
}
"""Options that change what is computed but no tensor, and the only value known here."""

Variables = dict[str, Stored]


def read(contents: Contents) -> Found | None:
    """The networks, or None where this is no such file.

    Raises:
        Refused: it is one, but not of StyleGAN2 as it is built here.
    """
    value = contents.value
    three = isinstance(value, tuple) and len(value) == 3
    if not three or not all(isinstance(network, Record) and network.name == NETWORK for network in value):
        return None
    _, discriminator, averaged = value
    _check(averaged, "skip")
    generator = read_generator(dict(generator_tensors(variables(averaged))), contents.size)

    def judge() -> Variables:
        _check(discriminator, "resnet")
        return dict(discriminator_tensors(variables(discriminator)))

    found, notes = optional_discriminator(judge, contents.size, generator[0])
    return Found(format=FORMAT, generator=generator, discriminator=found, notes=notes)


def variables(network: Record) -> Variables:
    """Every variable of a network and its components, as "component/scope/name".

    Raises:
        Refused: it is damaged.
    """
    found: Variables = {}
    waiting, seen = [("", network)], 0
    while waiting:
        prefix, part = waiting.pop()
        own, components = part.state.get("variables", []), part.state.get("components", {})
        if not isinstance(own, list) or not isinstance(components, dict):
            raise Refused("it is damaged: one of its networks has no state")
        seen += 1 + len(own) + len(components)
        if seen > PARTS_LIMIT:
            raise Refused("it holds far more parts than weights have")
        for entry in own:
            if not (isinstance(entry, tuple) and len(entry) == 2 and isinstance(entry[0], str)):
                raise Refused("it is damaged: one of its networks has no state")
            stored = _stored(entry[1])
            if stored is not None:
                found[prefix + entry[0]] = stored
        for name, component in components.items():
            if isinstance(name, str) and isinstance(component, Record) and prefix.count("/") < 2:
                waiting.append((f"{prefix}{name}/", component))
    return found


def _stored(value: Any) -> Stored | None:
    """An array, or a number: what the framework gives for a variable without axes."""
    if isinstance(value, Array):
        return value.stored
    return Stored((), 4, partial(torch.tensor, value, dtype=torch.float32)) if isinstance(value, float) else None


def generator_tensors(given: Variables) -> Iterator[tuple[str, Stored]]:
    """The generator's tensors by our names.

    Raises:
        Refused: one is missing or of another form.
    """
    yield "mapping.w_avg", _taken(given, "dlatent_avg")
    yield from _dense_layers(given, "mapping/Dense", "mapping.fc")
    yield "synthesis.b4.const", _without_first(_taken(given, "synthesis/4x4/Const/const"), 1)
    for resolution in _resolutions(given, r"synthesis/(\d+)x\d+/ToRGB/weight"):
        block, scope = f"synthesis.b{resolution}", f"synthesis/{resolution}x{resolution}"
        index = 2 * resolution.bit_length() - 7  # noise of conv0; of conv1 one more
        yield from _modulated(given, f"{scope}/ToRGB", f"{block}.torgb")
        last = "Conv" if resolution == 4 else "Conv1"
        yield from _layer(given, f"{scope}/{last}", f"{block}.conv1", index + 1)
        if resolution > 4:
            yield from _layer(given, f"{scope}/Conv0_up", f"{block}.conv0", index)


def discriminator_tensors(given: Variables) -> Iterator[tuple[str, Stored]]:
    """The discriminator's tensors by our names; errors as `generator_tensors`'s."""
    resolutions = _resolutions(given, r"(\d+)x\d+/Conv0/weight")
    for resolution in resolutions:
        block, scope = f"b{resolution}", f"{resolution}x{resolution}"
        if resolution == max(resolutions):
            yield from _convolution(given, f"{scope}/FromRGB", f"{block}.fromrgb")
        yield from _convolution(given, f"{scope}/Conv0", f"{block}.conv0")
        yield from _convolution(given, f"{scope}/Conv1_down", f"{block}.conv1")
        yield f"{block}.skip.weight", _taken(given, f"{scope}/Skip/weight").permuted(3, 2, 0, 1)
    yield from _convolution(given, "4x4/Conv", "b4.conv")
    yield from _dense(given, "4x4/Dense0", "b4.fc")
    yield from _dense(given, "Output", "b4.out")


def _layer(given: Variables, scope: str, name: str, noise: int) -> Iterator[tuple[str, Stored]]:
    """A modulated convolution with its noise."""
    yield from _modulated(given, scope, name)
    yield f"{name}.noise_strength", _taken(given, f"{scope}/noise_strength")
    yield f"{name}.noise_const", _without_first(_taken(given, f"synthesis/noise{noise}"), 2)


def _modulated(given: Variables, scope: str, name: str) -> Iterator[tuple[str, Stored]]:
    for key, value in _convolution(given, scope, name):
        mirrored = key.endswith(".weight") and scope.endswith("_up")
        yield key, value.changed(_mirrored) if mirrored else value
    yield f"{name}.affine.weight", _taken(given, f"{scope}/mod_weight").permuted(1, 0)
    yield f"{name}.affine.bias", _taken(given, f"{scope}/mod_bias").changed(lambda bias: bias + 1)


def _mirrored(weight: Tensor) -> Tensor:
    return weight.flip(2, 3)


def _convolution(given: Variables, scope: str, name: str) -> Iterator[tuple[str, Stored]]:
    yield f"{name}.weight", _taken(given, f"{scope}/weight").permuted(3, 2, 0, 1)
    yield f"{name}.bias", _taken(given, f"{scope}/bias")


def _dense(given: Variables, scope: str, name: str) -> Iterator[tuple[str, Stored]]:
    yield f"{name}.weight", _taken(given, f"{scope}/weight").permuted(1, 0)
    yield f"{name}.bias", _taken(given, f"{scope}/bias")


def _dense_layers(given: Variables, scope: str, name: str) -> Iterator[tuple[str, Stored]]:
    index = 0
    while f"{scope}{index}/weight" in given:
        yield from _dense(given, f"{scope}{index}", f"{name}{index}")
        index += 1


def _without_first(stored: Stored, axes: int) -> Stored:
    """Without leading axes of length 1."""
    if stored.shape[:axes] != (1,) * axes:
        raise Refused(f"a tensor in it has the shape {stored.shape}, which is none of StyleGAN2's", TAKEN)
    return stored.reshaped(*stored.shape[axes:])


def _resolutions(given: Variables, pattern: str) -> list[int]:
    """The resolutions that have such a variable, rising."""
    matches = (re.fullmatch(pattern, name, re.ASCII) for name in given)
    return sorted({int(match[1]) for match in matches if match and len(match[1]) < 6})


def _taken(given: Variables, name: str) -> Stored:
    if name not in given:
        raise Refused(f"its variable {name} is missing, which every StyleGAN2 file has", TAKEN)
    return given[name]


def _check(network: Record, architecture: str) -> None:
    """Compare what the network says it computes; variables alone would not tell."""
    version, options = network.state.get("version"), network.state.get("static_kwargs")
    if not isinstance(version, int) or not isinstance(options, Mapping):
        raise Refused("it is damaged: one of its networks has no state")
    if version < OLDEST:
        raise Refused("it comes from before StyleGAN2", TAKEN)
    for name, usual in {**USUAL_OPTIONS, "architecture": architecture}.items():
        if options.get(name, usual) != usual and options[name] is not None:
            raise Refused(f"its option {name} is {printable(options[name])} instead of {usual}", TAKEN)
