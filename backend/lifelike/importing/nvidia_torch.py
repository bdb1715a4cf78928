# SPDX-License-Identifier: GPL-3.0-or-later
"""NVIDIA's PyTorch pickles: stylegan2-ada-pytorch, and the StyleGAN2 networks of stylegan3.

A dictionary {G, D, G_ema, …} of modules, each with its class's source code, which is never looked at. The tensors'
names are those of this project; flips and transposes are not needed. State dicts with these names are read too, of
the generator alone or under G_ema and D, from any container.
"""

from __future__ import annotations

from collections.abc import Iterator

from lifelike.importing.collecting import tensors_in, under
from lifelike.importing.found import Contents, Found
from lifelike.importing.pickled_names import Record
from lifelike.importing.refusal import TAKEN, Refused, printable
from lifelike.importing.stored import Stored
from lifelike.importing.stylegan2_keys import optional_discriminator, read_generator

FORMAT = "NVIDIA PyTorch pickle"
STATE_DICT = "state dict with NVIDIA's names"
PARTS_LIMIT = 20_000
DEPTH_LIMIT = 8
LIMIT_TOLD = 1e6
"""Of the activations: more is none."""
MAPPING_GAIN = 0.01
"""The mapping network's learning rate multiplier, by which its biases are scaled (arXiv 1812.04948, appendix C)."""


def read(contents: Contents) -> Found | None:
    """The networks, or None where this is no such file.

    Raises:
        Refused: it is one, but not of StyleGAN2 as it is built here.
    """
    value = contents.value
    if not isinstance(value, dict) or not isinstance(value.get("G_ema"), Record):
        return _read_state_dicts(contents)
    tensors = tensors_of(value["G_ema"], "skip")
    if not any(name.startswith("synthesis.b4.") for name in tensors):
        raise Refused(f"its {printable(value['G_ema'].name)} is no StyleGAN2 generator", TAKEN)
    generator = read_generator(tensors, contents.size)
    judge = value.get("D")
    discriminator, notes = optional_discriminator(
        lambda: tensors_of(judge, "resnet") if isinstance(judge, Record) else {}, contents.size, generator[0]
    )
    return Found(
        format=FORMAT, generator=generator, discriminator=discriminator, notes=(*notes, *_limits(value["G_ema"]))
    )


def _limits(network: Record) -> tuple[str, ...]:
    """What to tell of a limit to the activations, which is not applied here."""
    told = (module.state.get("conv_clamp") for _, module in modules(network))
    limit = min((limit for limit in told if isinstance(limit, (int, float)) and 0 < limit < LIMIT_TOLD), default=None)
    if limit is None:
        return ()
    return (f"It was trained with its activations limited to ±{limit:g}; they are not limited here.",)


def _read_state_dicts(contents: Contents) -> Found | None:
    value = contents.value if isinstance(contents.value, dict) else {}
    flat = tensors_in(value)
    given = tensors_in(value.get("G_ema")) or under(flat, "G_ema.") or flat
    if "synthesis.b4.const" not in given or "mapping.fc0.weight" not in given:
        return None
    generator = read_generator(given, contents.size)
    judge = tensors_in(value.get("D")) or under(flat, "D.")
    discriminator, notes = optional_discriminator(lambda: judge, contents.size, generator[0])
    return Found(format=STATE_DICT, generator=generator, discriminator=discriminator, notes=notes)


def tensors_of(network: Record, architecture: str) -> dict[str, Stored]:
    """Parameters and buffers by their dotted names.

    Args:
        architecture: of its blocks: "skip" or "resnet" (arXiv 1912.04958, figure 7).

    Raises:
        Refused: a layer computes something else than here.
    """
    tensors: dict[str, Stored] = {}
    for prefix, module in modules(network):
        _check(prefix, module, architecture)
        for kind in ("_parameters", "_buffers"):
            for name, value in _dictionary(module, kind).items():
                if isinstance(name, str) and isinstance(value, Stored):
                    tensors[prefix + name] = value
    return tensors


def modules(network: Record) -> Iterator[tuple[str, Record]]:
    """Each module with its name and a dot, the network itself with "".

    Raises:
        Refused: there are absurdly many, or one has absurdly many entries; the same one may stand in many places.
    """
    waiting, seen = [("", network, 0)], 0
    while waiting:
        prefix, module, depth = waiting.pop()
        children = _dictionary(module, "_modules")
        seen += 1 + sum(len(_dictionary(module, kind)) for kind in ("_modules", "_parameters", "_buffers"))
        if seen > PARTS_LIMIT or depth > DEPTH_LIMIT:
            raise Refused("it holds far more parts than weights have")
        yield prefix, module
        for name, child in children.items():
            if isinstance(name, str) and isinstance(child, Record):
                waiting.append((f"{prefix}{name}.", child, depth + 1))


def _dictionary(module: Record, kind: str) -> dict[object, object]:
    value = module.state.get(kind, {})
    if not isinstance(value, dict):
        raise Refused("it is damaged: one of its networks has no state")
    return value


def _check(prefix: str, module: Record, architecture: str) -> None:
    """Compare what a layer says it computes; tensors alone would not tell."""
    state = module.state
    where = printable(prefix.rstrip("."))
    if state.get("activation", "lrelu") not in ("lrelu", "linear"):
        raise Refused(f"its layer {where} has another activation than the leaky ReLU", TAKEN)
    if state.get("architecture", architecture) != architecture:
        raise Refused(f"its blocks are not connected in the way called {architecture!r}", TAKEN)
    gain = state.get("bias_gain", MAPPING_GAIN)
    if prefix.startswith("mapping.fc") and not (isinstance(gain, float) and abs(gain - MAPPING_GAIN) < 1e-6):
        raise Refused(f"its layer {where} has another learning rate multiplier than {MAPPING_GAIN}", TAKEN)
