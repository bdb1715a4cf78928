# SPDX-License-Identifier: GPL-3.0-or-later
"""The networks that are timed, each in every way that it can be run here."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from attrs import frozen
from torch import Tensor

from lifelike.bench.figures import Absence
from lifelike.bench.peak import count_operations
from lifelike.bundles import Bundle, BundleCard
from lifelike.networks.e4e import E4eSettings
from lifelike.networks.encoders import AnyEncoderSettings, build_encoder
from lifelike.networks.stylegan2 import GeneratorSettings, SynthesisNetwork
from lifelike_protocol.errors import LifelikeError

COMPILE_SECONDS = 600.0
NOISE_STRENGTH = 0.1
"""Trained networks have noise, new ones none, which would be faster."""
LITTLE = GeneratorSettings(8, 64, 8, 8, 8, 1)
"""The generator of a bundle of which only the encoder is looked at."""


def config_f(resolution: int) -> GeneratorSettings:
    """The published networks' sizes (arXiv 1912.04958, configuration F)."""
    return GeneratorSettings(resolution, channel_base=32768, channel_max=512, z_dim=512, w_dim=512, mapping_layers=8)


@frozen
class Subject:
    """A network to time.

    network: its name in the report. card: of a bundle that has it. arguments: by name, the shapes of its inputs.
    """

    network: str
    resolution: int
    card: BundleCard
    arguments: dict[str, tuple[int, ...]]

    def operations(self) -> int:
        """Of a pass, counted."""
        encoder = self.card.encoder
        if encoder is not None:
            return count_operations(lambda: build_encoder(encoder), self.arguments)
        return count_operations(lambda: SynthesisNetwork(self.card.generator), self.arguments)

    def inputs(self, device: str) -> dict[str, Tensor]:
        """The same ones in every process."""
        random = torch.Generator().manual_seed(1)
        return {name: torch.randn(shape, generator=random).to(device) for name, shape in self.arguments.items()}


def generator_subject(settings: GeneratorSettings) -> Subject:
    """W+ → picture."""
    card = _card(settings, None)
    return Subject("generator", settings.resolution, card, {"ws": (1, settings.num_ws, settings.w_dim)})


def encoder_subject(settings: AnyEncoderSettings) -> Subject:
    """Portrait → latent."""
    name = "e4e" if isinstance(settings, E4eSettings) else "small encoder"
    side = settings.resolution
    return Subject(name, side, _card(LITTLE, settings), {"portrait": (1, 3, side, side)})


def _card(generator: GeneratorSettings, encoder: AnyEncoderSettings | None) -> BundleCard:
    return BundleCard("bench", "Random weights.", "CC0-1.0", generator=generator, encoder=encoder, pair=False)


def random_bundle(subject: Subject) -> Bundle:
    """The subject's bundle with random weights, the same ones in every process; on the CPU."""
    torch.manual_seed(0)
    bundle = Bundle(subject.card)
    for name, parameter in bundle.photo.synthesis.named_parameters():
        if name.endswith("noise_strength"):
            parameter.fill_(NOISE_STRENGTH)
    return bundle


@frozen
class Way:
    """How a network is run.

    execution: "plain", "accelerated", or "uncompiled", as on a machine without a compiler.
    precision: "fp32", "bf16" or "fp16".
    """

    execution: str
    precision: str


def ways(device: str) -> Iterator[Way]:
    """All of them, refused ones among them."""
    yield Way("plain", "fp32")
    if device == "cpu":
        yield Way("uncompiled", "fp32")
    for precision in ("fp32", "bf16", "fp16") if device == "cuda" else ("fp32", "bf16"):
        yield Way("accelerated", precision)


def prepared(bundle: Bundle, way: Way, device: str) -> Bundle | Absence:
    """A bundle of the same tensors, run in one way; or why that can't be."""
    copy = Bundle(bundle.card)
    copy.load_tensors(bundle.tensors())
    return set_up(copy, way, device)


def set_up(bundle: Bundle, way: Way, device: str) -> Bundle | Absence:
    """The bundle itself, run in one way; or why that can't be."""
    bundle.to(device)
    if way.execution == "plain":
        return bundle
    if way.execution == "uncompiled":
        return _uncompiled(bundle)
    try:
        accelerated = _accelerate(bundle, way)
    except LifelikeError as refusal:
        return Absence(f"{way.execution}, {way.precision}", refusal.what)
    return (
        bundle if accelerated else Absence(f"{way.execution}, {way.precision}", "There are no compiled kernels here.")
    )


def _uncompiled(bundle: Bundle) -> Bundle | Absence:
    from lifelike.execution.acceleration import prepare

    if bundle.encoder is not None:
        return Absence("uncompiled, fp32", "An encoder runs as it is without a compiler.")
    prepare(bundle.photo.synthesis, torch.float32)
    return bundle


def _accelerate(bundle: Bundle, way: Way) -> bool:
    from lifelike.execution.acceleration import Acceleration
    from lifelike.execution.library import THIS_PROCESS
    from lifelike.execution.precision import Precision

    if bundle.device.type == "cpu" and THIS_PROCESS.wait(COMPILE_SECONDS) is None:
        return False
    Acceleration(bundle, Precision(way.precision)).refresh()
    return True


def pass_of(bundle: Bundle, subject: Subject) -> Callable[[], Tensor]:
    """One pass of the subject's network; gives the picture or the W+ code, where it was computed."""
    inputs = subject.inputs(bundle.device.type)

    def run() -> Tensor:
        with torch.inference_mode():
            if subject.card.encoder is None:
                made: Tensor = bundle.photo.synthesis(**inputs)
            else:
                made = bundle.needed_encoder()(**inputs).ws
            return made

    return run
