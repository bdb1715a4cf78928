# SPDX-License-Identifier: GPL-3.0-or-later
"""A bundle in memory: the networks of the method, ready to run."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch
from torch import Tensor, nn

from lifelike.bundles.card import BundleCard
from lifelike.bundles.file import bundle_sha256, read_card, read_shapes, read_tensors, write_bundle
from lifelike.networks.encoders import AnyEncoder, build_encoder
from lifelike.networks.face_locator import FaceLocator
from lifelike.networks.identities import build_identity
from lifelike.networks.stylegan2 import Generator
from lifelike.networks.unfilled import unfilled
from lifelike_protocol.errors import ErrorCode, LifelikeError


class Bundle:
    """The generators with what belongs to them, in evaluation mode, without gradients.

    Attributes:
        card: what it is.
        sha256: hash of its file, "" when it was never written.
        photo: the photo generator.
        render: the render generator, with the same mapping network and noise buffers, or None: single-generator mode.
        encoder: portrait → latent, or None: the bundle can only generate.
        identity: portrait → embedding, or None.
        locator: frame → landmarks, or None.
        device: where its tensors are.
    """

    def __init__(self, card: BundleCard, sha256: str = "") -> None:
        self.card, self.sha256 = card, sha256
        self.device = torch.device("cpu")
        self.photo = Generator(card.generator)
        self.render = Generator(card.generator) if card.pair else None
        if self.render is not None:
            self.render.mapping = self.photo.mapping
            self._share_noise()
        self.encoder = build_encoder(card.encoder) if card.encoder is not None else None
        self.identity = build_identity(card.identity) if card.identity is not None else None
        self.locator = FaceLocator(card.locator) if card.locator is not None else None
        for network in self.networks().values():
            network.eval().requires_grad_(False)

    @property
    def single(self) -> bool:
        """Whether there is only the photo generator: portraits are then inverted to it and decoded by it."""
        return self.render is None

    @property
    def inverted(self) -> Generator:
        """The generator whose pictures the encoder inverts: G_render; in single-generator mode G_photo."""
        return self.photo if self.render is None else self.render

    def needed_encoder(self) -> AnyEncoder:
        """The encoder.

        Raises:
            LifelikeError: INVALID_BUNDLE where there is none.
        """
        if self.encoder is None:
            raise no_encoder(self.card)
        return self.encoder

    def networks(self) -> dict[str, nn.Module]:
        """Every network by the name its tensors have in a file."""
        named: dict[str, nn.Module | None] = {
            "mapping": self.photo.mapping,
            "photo": self.photo.synthesis,
            "render": None if self.render is None else self.render.synthesis,
            "encoder": self.encoder,
            "identity": self.identity,
            "locator": self.locator,
        }
        return {name: network for name, network in named.items() if network is not None}

    def to(self, device: torch.device | str) -> Bundle:
        """Move every network; returns self."""
        self.device = torch.device(device)
        for network in self.networks().values():
            network.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._share_noise()
        return self

    def _share_noise(self) -> None:
        if self.render is not None:
            for resolution in self.card.generator.resolutions:
                layers = (generator.synthesis.block(resolution).layers for generator in (self.render, self.photo))
                for render, photo in zip(*layers, strict=True):
                    render.noise_const = photo.noise_const

    def tensors(self) -> dict[str, Tensor]:
        """Every tensor under `network.name`; the shared noise buffers once, with the photo generator."""
        return {
            f"{name}.{key}": value
            for name, network in self.networks().items()
            for key, value in network.state_dict().items()
            if not _is_shared(name, key)
        }

    def check_shapes(self, shapes: dict[str, tuple[int, ...]]) -> None:
        """Compare what `load_tensors` would be given with what the networks need.

        Raises:
            LifelikeError: INVALID_BUNDLE when a tensor is missing, left over, or of another shape.
        """
        needed = {name: tuple(value.shape) for name, value in self.tensors().items()}
        for name, shape in needed.items():
            if name not in shapes:
                raise _mismatch(self.card, f"its tensor {name} is missing")
            if shapes[name] != shape:
                raise _mismatch(self.card, f"its tensor {name} has the shape {shapes[name]} instead of {shape}")
        if left := shapes.keys() - needed.keys():
            raise _mismatch(self.card, f"it has {len(left)} tensors of no network, such as {min(left)}")

    def load_tensors(self, tensors: dict[str, Tensor]) -> None:
        """Let the networks have these tensors themselves, not copies of them; errors as `check_shapes`."""
        self.check_shapes({name: tuple(value.shape) for name, value in tensors.items()})
        for name, network in self.networks().items():
            state = {
                key: tensors[f"photo.{key}" if _is_shared(name, key) else f"{name}.{key}"].to(value.dtype)
                for key, value in network.state_dict().items()
            }
            network.load_state_dict(state, assign=True)
            network.requires_grad_(False)

    def save(self, path: Path) -> None:
        """Write the bundle as one file."""
        write_bundle(path, self.card, self.tensors())


def empty_bundle(card: BundleCard, sha256: str = "") -> Bundle:
    """A bundle whose tensors have sizes and take no memory, until `load_tensors` gives it some.

    Raises:
        LifelikeError: INVALID_BUNDLE for a card whose networks cannot be built.
    """
    try:
        with unfilled():
            return Bundle(card, sha256)
    except (LifelikeError, ValueError, TypeError, KeyError, AttributeError, RuntimeError, ZeroDivisionError) as error:
        raise _mismatch(card, f"its card describes no networks that could be built ({error})") from error


def read_bundle(path: Path) -> Bundle:
    """Load a bundle from a file or a folder.

    Raises:
        LifelikeError: INVALID_BUNDLE for a damaged or foreign one.
    """
    bundle = _checked(path)
    return _filled(bundle, path)


def read_generators(path: Path) -> Bundle:
    """A bundle's generators alone; its card tells what else there is. Errors as `read_bundle`."""
    whole = _checked(path)
    whole.encoder = whole.identity = whole.locator = None
    return _filled(whole, path)


def _checked(path: Path) -> Bundle:
    """An empty bundle that the tensors of a file would fit."""
    bundle = empty_bundle(read_card(path))
    bundle.check_shapes(read_shapes(path))
    return bundle


def _filled(bundle: Bundle, path: Path) -> Bundle:
    """Give a bundle the tensors that its networks need of a file."""
    with ThreadPoolExecutor(1) as beside:  # hashing takes as long as reading, and does not hold other threads up
        sha256 = beside.submit(bundle_sha256, path)
        bundle.load_tensors(read_tensors(path, bundle.tensors()))
        bundle.sha256 = sha256.result()
    return bundle


def no_encoder(card: BundleCard) -> LifelikeError:
    """The refusal of whatever has to invert a portrait."""
    return LifelikeError(
        ErrorCode.INVALID_BUNDLE,
        f"The bundle {card.name} has no encoder, so it can only generate pictures.",
        "Import it again with the encoder made for its generator: lifelike bundles import --encoder FILE.",
    )


def _is_shared(name: str, key: str) -> bool:
    return name == "render" and key.endswith("noise_const")


def _mismatch(card: BundleCard, why: str) -> LifelikeError:
    return LifelikeError(
        ErrorCode.INVALID_BUNDLE,
        f"The bundle {card.name} cannot be used: {why}.",
        "Install it again, or choose another bundle.",
    )
