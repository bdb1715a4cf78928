# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes small networks in the formats that others publish theirs in, as the originals' own code would write them.

The classes whose names these files hold are made here, under those names, for as long as the writing takes.
"""

from __future__ import annotations

import argparse
import pickle
import sys
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from lifelike.networks.arcface import ARCFACE_SETTINGS, ArcFace
from lifelike.networks.e4e import E4e, E4eSettings
from lifelike.networks.stylegan2 import Discriminator, Generator, GeneratorSettings

SMALL = GeneratorSettings(resolution=16, channel_base=128, channel_max=16, z_dim=8, w_dim=8, mapping_layers=2)
SMALL_TRUNK = {"widths": (16, 24, 32, 48), "blocks": (1, 2, 1, 1)}
TAPS = torch.tensor([1.0, 3.0, 3.0, 1.0]) / 8
FILTER = TAPS.outer(TAPS)


def seeded(network: nn.Module, seed: int = 0) -> nn.Module:
    """The network with every floating-point tensor drawn anew, so that no two are alike; variances are positive."""
    drawn = torch.Generator().manual_seed(seed)
    for name, value in network.state_dict().items():
        if value.is_floating_point():
            value.copy_(torch.randn(value.shape, generator=drawn))
            if name.endswith("running_var"):
                value.abs_().add_(0.1)
    return network.eval().requires_grad_(False)


def small_generator(settings: GeneratorSettings = SMALL) -> Generator:
    return seeded(Generator(settings))


def small_discriminator(settings: GeneratorSettings = SMALL) -> Discriminator:
    return seeded(Discriminator(settings), 1)


def small_e4e(num_ws: int = SMALL.num_ws) -> E4e:
    return seeded(E4e(E4eSettings(resolution=64, num_ws=num_ws, w_dim=SMALL.w_dim, **SMALL_TRUNK)), 2)


def small_arcface() -> ArcFace:
    sizes = {name: list(value) for name, value in SMALL_TRUNK.items()}
    return seeded(ArcFace({**ARCFACE_SETTINGS, **sizes, "embedding": 16}), 3)


@contextmanager
def _standing_in(name: str, **contents: Any) -> Iterator[ModuleType]:
    """A module of that name, gone again afterwards, whose contents claim to have been defined in it."""
    module = ModuleType(name)
    for key, value in contents.items():
        value.__module__, value.__qualname__ = name, key
        setattr(module, key, value)
    parents = [name.rpartition(".")[0]] if "." in name else []
    while parents and "." in parents[-1]:
        parents.append(parents[-1].rpartition(".")[0])
    added = {parent: ModuleType(parent) for parent in parents} | {name: module}
    before = {key: sys.modules.get(key) for key in added}
    sys.modules.update(added)
    try:
        yield module
    finally:
        for key, value in before.items():
            if value is None:
                del sys.modules[key]
            else:
                sys.modules[key] = value


# NVIDIA, PyTorch


class _Persistent:
    """What persistence.persistent_class makes of a module."""

    def __init__(self, class_name: str, source: str, state: dict[str, Any], rebuild: Any) -> None:
        self.reduced = (rebuild, ({"type": "class", "version": 6, "module_src": source, "class_name": class_name},))
        self.reduced[1][0]["state"] = state

    def __reduce__(self) -> Any:
        return self.reduced


def write_nvidia_torch(
    file: Path,
    generator: Generator,
    discriminator: Discriminator | None = None,
    source: str = "",
    protocol: int = 3,
    **attributes: Any,
) -> None:
    """A snapshot of stylegan2-ada-pytorch.

    Args:
        source: text of the module that the classes are said to come from.
        attributes: of every layer, over the usual ones.
    """

    def rebuild(meta: Any) -> None: ...

    class EasyDict(dict): ...

    with (
        _standing_in("torch_utils.persistence", _reconstruct_persistent_obj=rebuild),
        _standing_in("dnnlib.util", EasyDict=EasyDict),
    ):
        wrap = {"source": source, "rebuild": rebuild, "options": EasyDict, "attributes": attributes}
        g = _persistent_module("Generator", _with_filters(generator.state_dict()), **wrap)
        snapshot = {"training_set_kwargs": EasyDict(path="faces.zip", resolution=16), "G": g, "G_ema": g}
        if discriminator is not None:
            snapshot["D"] = _persistent_module("Discriminator", _with_filters(discriminator.state_dict()), **wrap)
        file.write_bytes(pickle.dumps(snapshot, protocol=protocol))


def _with_filters(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """With the blur filters, which that code keeps as buffers of its layers."""
    layers = {name.rpartition(".")[0] for name in state if name.endswith(("conv0.weight", "conv1.weight"))}
    return {**state, **{f"{layer}.resample_filter": FILTER for layer in layers}}


def _persistent_module(
    class_name: str, state: dict[str, Tensor], source: str, rebuild: Any, options: Any, attributes: dict[str, Any]
) -> _Persistent:
    """A module and those inside it, with what `torch.nn.Module` keeps beside the tensors."""
    wrap = {"source": source, "rebuild": rebuild, "options": options, "attributes": attributes}
    inside: dict[str, dict[str, Tensor]] = {}
    own: dict[str, Tensor] = {}
    for name, value in state.items():
        first, dot, rest = name.partition(".")
        if dot:
            inside.setdefault(first, {})[rest] = value
        else:
            own[name] = value
    buffers = ("noise_const", "resample_filter", "w_avg")
    usual: dict[str, Any] = {
        "training": False,
        "_parameters": OrderedDict((k, nn.Parameter(v)) for k, v in own.items() if k not in buffers),
        "_buffers": OrderedDict((k, v) for k, v in own.items() if k in buffers),
        "_non_persistent_buffers_set": set(),
        "_backward_hooks": OrderedDict(),
        "_modules": OrderedDict((k, _persistent_module(k, v, **wrap)) for k, v in inside.items()),
        "weight_gain": np.float64(0.25),
        "activation": "lrelu",
        "bias_gain": 0.01 if class_name.startswith("fc") else 1,
        "conv_clamp": None,
        "_init_args": (),
        "_init_kwargs": options(w_dim=8),
    }
    return _Persistent(class_name, source, {**usual, **attributes}, rebuild)


# NVIDIA, TensorFlow


def write_nvidia_tensorflow(
    file: Path,
    generator: Generator,
    discriminator: Discriminator,
    source: str = "",
    protocol: int = 4,
    version: int = 4,
    **options: Any,
) -> None:
    """A pickle of stylegan2; `options` are the network's, over the usual ones."""

    class Network:
        def __init__(self, **state: Any) -> None:
            self.__dict__.update(state)

    def network(name: str, variables: dict[str, np.ndarray], **components: Network) -> Network:
        usual = {
            "resolution": 16,
            "num_channels": 3,
            "resample_kernel": [1, 3, 3, 1],
            "mapping_lrmul": np.float64(0.01),
        }
        return Network(
            version=version,
            name=name,
            static_kwargs={**usual, **options},
            components=components,
            build_module_src=source,
            build_func_name="G_main",
            variables=list(variables.items()),
        )

    def whole(state: dict[str, Tensor]) -> Network:
        mapping, synthesis, mean = tensorflow_generator(state)
        parts = {"mapping": network("G_mapping", mapping), "synthesis": network("G_synthesis", synthesis)}
        return network("G", {"lod": np.float32(0), "dlatent_avg": mean}, **parts)

    with _standing_in("dnnlib.tflib.network", Network=Network):
        averaged = whole(generator.state_dict())
        other = whole({name: value + 1 for name, value in generator.state_dict().items()})
        judge = network("D", tensorflow_discriminator(discriminator.state_dict()))
        file.write_bytes(pickle.dumps((other, judge, averaged), protocol=protocol))


def _array(value: Tensor, *axes: int) -> np.ndarray:
    return np.array(value.numpy().transpose(axes) if axes else value.numpy(), np.float32)


def tensorflow_generator(state: dict[str, Tensor]) -> tuple[dict[str, Any], dict[str, Any], np.ndarray]:
    """Variables of mapping and synthesis network, and the mean latent."""
    mapping, synthesis = {}, {}
    for name, value in state.items():
        part, _, rest = name.partition(".")
        if part == "mapping" and rest != "w_avg":
            layer, kind = rest.removeprefix("fc").split(".")
            mapping[f"Dense{layer}/{kind}"] = _array(value, 1, 0) if kind == "weight" else _array(value)
        elif rest == "b4.const":
            synthesis["4x4/Const/const"] = _array(value)[None]
        elif part == "synthesis":
            block, layer, kind = rest.split(".", 2)
            side = int(block[1:])
            scope = {"conv0": "Conv0_up", "conv1": "Conv" if side == 4 else "Conv1", "torgb": "ToRGB"}[layer]
            key, array = f"{side}x{side}/{scope}", _array(value)
            if kind == "weight":
                array = array.transpose(2, 3, 1, 0)
                array = array[::-1, ::-1] if layer == "conv0" else array
                synthesis[f"{key}/weight"] = np.ascontiguousarray(array)
            elif kind == "noise_const":
                power = side.bit_length() - 1
                synthesis[f"noise{2 * power - 4 - (layer == 'conv0')}"] = array[None, None]
            elif kind == "affine.weight":
                synthesis[f"{key}/mod_weight"] = array.T.copy()
            else:
                synthesis[f"{key}/{ {'affine.bias': 'mod_bias'}.get(kind, kind) }"] = array - (kind == "affine.bias")
    return mapping, synthesis, _array(state["mapping.w_avg"])


def tensorflow_discriminator(state: dict[str, Tensor]) -> dict[str, Any]:
    names = {"fromrgb": "FromRGB", "conv0": "Conv0", "conv1": "Conv1_down", "skip": "Skip", "conv": "Conv"}
    variables = {}
    for name, value in state.items():
        block, layer, kind = name.split(".")
        side = int(block[1:])
        scope = {"fc": "4x4/Dense0", "out": "Output"}.get(layer) or f"{side}x{side}/{names[layer]}"
        axes = {2: (1, 0), 4: (2, 3, 1, 0)}.get(value.ndim, ())
        variables[f"{scope}/{kind}"] = _array(value, *axes)
    return variables


# rosinality, e4e, ArcFace


def rosinality_generator(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Tensors by rosinality's names, without the mean latent."""
    parts = {"weight": "conv.weight", "affine.weight": "conv.modulation.weight", "affine.bias": "conv.modulation.bias"}
    theirs = OrderedDict()
    for name, value in state.items():
        part, _, rest = name.partition(".")
        if part == "mapping" and rest != "w_avg":
            layer, kind = rest.removeprefix("fc").split(".")
            theirs[f"style.{int(layer) + 1}.{kind}"] = value
        elif rest == "b4.const":
            theirs["input.input"] = value[None]
        elif part == "synthesis":
            block, layer, kind = rest.split(".", 2)
            power = int(block[1:]).bit_length() - 1
            if kind == "noise_const":
                theirs[f"noises.noise_{2 * power - 4 - (layer == 'conv0')}"] = value[None, None]
                continue
            if layer == "torgb":
                scope = "to_rgb1" if power == 2 else f"to_rgbs.{power - 3}"
            else:
                scope = "conv1" if power == 2 else f"convs.{2 * (power - 3) + (layer == 'conv1')}"
            key = {**parts, "bias": "bias" if layer == "torgb" else "activate.bias", "noise_strength": "noise.weight"}[
                kind
            ]
            if kind == "weight":
                value = value[None]
            elif kind == "noise_strength":
                value = value.reshape(1)
            elif kind == "bias" and layer == "torgb":
                value = value.reshape(1, 3, 1, 1)
            theirs[f"{scope}.{key}"] = value
            if layer == "conv0" and kind == "weight":
                theirs[f"{scope}.conv.blur.kernel"] = FILTER * 4
            if layer == "torgb" and kind == "weight" and power > 2:
                theirs[f"{scope}.upsample.kernel"] = FILTER * 4
    return theirs


def rosinality_discriminator(state: dict[str, Tensor]) -> dict[str, Tensor]:
    highest = max(int(name.partition(".")[0][1:]) for name in state)
    places = {"conv0.weight": "conv1.0.weight", "conv0.bias": "conv1.1.bias", "conv1.weight": "conv2.1.weight"}
    places |= {"conv1.bias": "conv2.2.bias", "skip.weight": "skip.1.weight"}
    last = {"conv.weight": "final_conv.0.weight", "conv.bias": "final_conv.1.bias"}
    theirs = OrderedDict()
    for name, value in state.items():
        block, _, rest = name.partition(".")
        side = int(block[1:])
        if rest.startswith("fromrgb"):
            theirs["convs.0.0.weight" if rest.endswith("weight") else "convs.0.1.bias"] = value
        elif side == 4:
            kind = rest.partition(".")[2]
            theirs[last.get(rest) or f"final_linear.{'0' if rest.startswith('fc') else '1'}.{kind}"] = value
        else:
            index = highest.bit_length() - side.bit_length() + 1
            theirs[f"convs.{index}.{places[rest]}"] = value
            theirs[f"convs.{index}.conv2.0.kernel"] = FILTER
            theirs[f"convs.{index}.skip.0.kernel"] = FILTER
    return theirs


def save_torch(file: Path, value: Any, zipped: bool = True) -> None:
    """torch.save, in the zip archive or the older container."""
    torch.save(value, file, _use_new_zipfile_serialization=zipped)


def write_rosinality(
    file: Path, generator: Generator, discriminator: Discriminator | None = None, zipped: bool = True, mean: bool = True
) -> None:
    checkpoint: dict[str, Any] = {"g_ema": rosinality_generator(generator.state_dict())}
    if mean:
        checkpoint["latent_avg"] = generator.mapping.w_avg
    if discriminator is not None:
        checkpoint["d"] = rosinality_discriminator(discriminator.state_dict())
        checkpoint["args"] = argparse.Namespace(size=16, local_rank=0)
        checkpoint["g_optim"] = {"state": {0: {"step": 3, "exp_avg": torch.ones(3)}}, "param_groups": [{"lr": 0.002}]}
    save_torch(file, checkpoint, zipped)


def write_e4e(
    file: Path,
    encoder: E4e,
    generator: Generator | None = None,
    kind: str | None = "Encoder4Editing",
    zipped: bool = True,
) -> None:
    state = OrderedDict((f"encoder.{k}", v) for k, v in encoder.state_dict().items() if k != "w_avg")
    if generator is not None:
        state.update((f"decoder.{k}", v) for k, v in rosinality_generator(generator.state_dict()).items())
    options = {"stylegan_size": 16, "device": "cuda:0", "start_from_latent_avg": True}
    if kind is not None:
        options["encoder_type"] = kind
    save_torch(file, {"state_dict": state, "latent_avg": encoder.w_avg, "opts": options}, zipped)


def write_arcface(file: Path, network: ArcFace, zipped: bool = False) -> None:
    save_torch(file, OrderedDict(network.state_dict()), zipped)
