# SPDX-License-Identifier: GPL-3.0-or-later
"""Checkpoints of rosinality's stylegan2-pytorch: {g_ema, latent_avg, d, …}, or the generator's state dict alone.

The same networks as NVIDIA's PyTorch ones under other names, with axes of length 1 more. Convolutions are not mirrored
between the two.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import torch

from lifelike.importing.collecting import tensors_in, under
from lifelike.importing.found import Contents, Found, State
from lifelike.importing.refusal import TAKEN, Refused
from lifelike.importing.stored import Stored
from lifelike.importing.stylegan2_keys import optional_discriminator, read_generator, without_filters
from lifelike.networks.stylegan2 import GeneratorSettings, MappingNetwork

FORMAT = "rosinality checkpoint"
MEAN_SAMPLES = 10_000
"""How many w the mean is taken over where a file has none; e4e's and pSp's number."""


def read(contents: Contents) -> Found | None:
    """The networks, or None where this is no such file.

    Raises:
        Refused: it is one, but not of StyleGAN2 as it is built here.
    """
    value = contents.value if isinstance(contents.value, dict) else {}
    flat = tensors_in(value)
    for name in ("g_ema", "g"):
        given = tensors_in(value.get(name)) or under(flat, f"{name}.")
        if is_generator(given):
            break
    else:
        given = {name: tensor for name, tensor in flat.items() if name != "latent_avg"}
        if not is_generator(given):
            return None
    mean = value.get("latent_avg")
    settings, state, notes = read_rosinality_generator(given, mean, contents.size)
    judge = tensors_in(value.get("d")) or under(flat, "d.")
    discriminator, more = optional_discriminator(
        lambda: dict(discriminator_tensors(judge)) if judge else {}, contents.size, settings
    )
    return Found(format=FORMAT, generator=(settings, state), discriminator=discriminator, notes=notes + more)


def is_generator(given: Mapping[str, Stored]) -> bool:
    """Whether these are a generator's tensors by rosinality's names."""
    return "input.input" in given and "conv1.conv.weight" in given and "style.1.weight" in given


def read_rosinality_generator(
    given: Mapping[str, Stored], mean: object, size: int
) -> tuple[GeneratorSettings, State, tuple[str, ...]]:
    """A generator.

    Args:
        given: its tensors by rosinality's names.
        mean: the mean w, [w_dim], or one for each layer, [num_ws, w_dim], the first of which is taken; where it is no
            tensor, the mean is found by sampling.
        size: bytes of the file.

    Returns:
        Sizes, tensors, and sentences a person should read.
    """
    tensors = dict(generator_tensors(given))
    if isinstance(mean, Stored):
        tensors["mapping.w_avg"] = _first_row(mean)
        settings, state = read_generator(tensors, size)
        return settings, state, ()
    width = tensors["mapping.fc0.weight"].shape[:1]
    tensors["mapping.w_avg"] = Stored(width, 0, lambda: torch.zeros(width))
    settings, state = read_generator(tensors, size)
    state["mapping.w_avg"] = sampled_mean(settings, state)
    return settings, state, (f"It has no mean latent (latent_avg); it was taken over {MEAN_SAMPLES} samples.",)


@torch.no_grad()
def sampled_mean(settings: GeneratorSettings, state: State) -> torch.Tensor:
    """The mean w, [w_dim], of latents drawn with a fixed seed."""
    mapping = MappingNetwork(settings)
    mapping.load_state_dict({k.removeprefix("mapping."): v for k, v in state.items() if k.startswith("mapping.")})
    z = torch.randn(MEAN_SAMPLES, settings.z_dim, generator=torch.Generator().manual_seed(0))
    mean: torch.Tensor = mapping(z).mean(0)
    return mean


def generator_tensors(given: Mapping[str, Stored]) -> Iterator[tuple[str, Stored]]:
    """The generator's tensors by our names, without the mean w.

    Raises:
        Refused: one is of another form, or nothing of ours.
    """
    for name, stored in without_filters(given).items():
        yield _generator_name(name), _flattened(name, stored)


def _generator_name(name: str) -> str:
    """Our name of a tensor.

    Raises:
        Refused: there is none.
    """
    if match := re.fullmatch(r"style\.([1-9]\d?)\.(weight|bias)", name, re.ASCII):
        return f"mapping.fc{int(match[1]) - 1}.{match[2]}"
    if name == "input.input":
        return "synthesis.b4.const"
    if match := re.fullmatch(r"noises\.noise_(\d{1,2})", name, re.ASCII):
        return f"synthesis.{_layer(int(match[1]))}.noise_const"
    if match := re.fullmatch(r"to_rgb(?:1|s\.(\d{1,2}))\.(.+)", name, re.ASCII):
        resolution = 4 if match[1] is None else 2 ** (int(match[1]) + 3)
        return f"synthesis.b{resolution}.torgb.{_part(name, match[2])}"
    if match := re.fullmatch(r"conv(?:1|s\.(\d{1,2}))\.(.+)", name, re.ASCII):
        return f"synthesis.{_layer(0 if match[1] is None else int(match[1]) + 1)}.{_part(name, match[2])}"
    raise _unknown(name)


def _layer(index: int) -> str:
    """The index-th convolution: one at 4 pixels, then two at each resolution."""
    return f"b{2 ** ((index + 5) // 2)}.conv{(index + 1) % 2}"


def _part(name: str, part: str) -> str:
    parts = {
        "conv.weight": "weight",
        "conv.modulation.weight": "affine.weight",
        "conv.modulation.bias": "affine.bias",
        "activate.bias": "bias",
        "bias": "bias",
        "noise.weight": "noise_strength",
    }
    if part not in parts:
        raise _unknown(name)
    return parts[part]


def _flattened(name: str, stored: Stored) -> Stored:
    """Without the axes of length 1 that only rosinality's tensors have."""
    shape = stored.shape
    if name.endswith("noise.weight") and shape == (1,):
        return stored.reshaped()
    if name.startswith("noises.") and shape[:2] == (1, 1):
        return stored.reshaped(*shape[2:])
    if name.startswith("to_rgb") and name.endswith(".bias") and shape == (1, 3, 1, 1):
        return stored.reshaped(3)
    if name.endswith("conv.weight") or name == "input.input":
        return stored.reshaped(*shape[1:]) if shape[:1] == (1,) else stored
    return stored


def _first_row(mean: Stored) -> Stored:
    """[w_dim] of [w_dim], [1, w_dim] or [num_ws, w_dim]."""
    if len(mean.shape) == 1:
        return mean
    if len(mean.shape) != 2 or not mean.shape[0]:
        raise Refused(f"its latent_avg has the shape {mean.shape}", TAKEN)
    return Stored(mean.shape[1:], mean.size // mean.shape[0], lambda: mean.read()[0])


def discriminator_tensors(given: Mapping[str, Stored]) -> Iterator[tuple[str, Stored]]:
    """The discriminator's tensors by our names; errors as `generator_tensors`'s."""
    given = without_filters(given)
    count = max((int(match[1]) for match in map(re.compile(r"convs\.(\d{1,2})\.").match, given) if match), default=0)
    parts = {"conv1.0.weight": "conv0.weight", "conv1.1.bias": "conv0.bias", "conv2.1.weight": "conv1.weight"}
    parts.update({"conv2.2.bias": "conv1.bias", "skip.1.weight": "skip.weight"})
    names = {"convs.0.0.weight": f"b{4 * 2**count}.fromrgb.weight", "convs.0.1.bias": f"b{4 * 2**count}.fromrgb.bias"}
    for index in range(1, count + 1):
        block = f"b{4 * 2 ** (count + 1 - index)}"
        names.update({f"convs.{index}.{theirs}": f"{block}.{ours}" for theirs, ours in parts.items()})
    names.update({"final_conv.0.weight": "b4.conv.weight", "final_conv.1.bias": "b4.conv.bias"})
    for theirs, ours in (("final_linear.0", "b4.fc"), ("final_linear.1", "b4.out")):
        names.update({f"{theirs}.{kind}": f"{ours}.{kind}" for kind in ("weight", "bias")})
    for name, stored in given.items():
        if name not in names:
            raise _unknown(name)
        yield names[name], stored


def _unknown(name: str) -> Refused:
    return Refused(f"its tensor {name[:80]!r} is none of a StyleGAN2 network's", TAKEN)
