# SPDX-License-Identifier: GPL-3.0-or-later
"""A bundle in memory: the networks of the method, ready to run."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from lifelike.bundles.card import BundleCard
from lifelike.bundles.file import bundle_sha256, read_card, read_tensors, write_bundle
from lifelike.networks.encoder import Encoder
from lifelike.networks.face_locator import FaceLocator
from lifelike.networks.identity import IdentityNetwork
from lifelike.networks.stylegan2 import Generator
from lifelike_protocol.errors import ErrorCode, LifelikeError


class Bundle:
    """The generator pair with what belongs to it, in evaluation mode, without gradients.

    Attributes:
        card: what it is.
        sha256: hash of its file, "" when it was never written.
        photo, render: the generator pair; one mapping network and the same noise buffers in both.
        encoder: portrait → latent.
        identity: portrait → embedding, or None.
        locator: frame → landmarks, or None.
        device: where its tensors are.
    """

    def __init__(self, card: BundleCard, sha256: str = "") -> None:
        self.card, self.sha256 = card, sha256
        self.device = torch.device("cpu")
        self.photo = Generator(card.generator)
        self.render = Generator(card.generator)
        self.render.mapping = self.photo.mapping
        self.encoder = Encoder(card.encoder)
        self.identity = IdentityNetwork(card.identity) if card.identity is not None else None
        self.locator = FaceLocator(card.locator) if card.locator is not None else None
        for network in self.networks().values():
            network.eval().requires_grad_(False)

    def networks(self) -> dict[str, nn.Module]:
        """Every network by the name its tensors have in a file."""
        named: dict[str, nn.Module | None] = {
            "mapping": self.photo.mapping,
            "photo": self.photo.synthesis,
            "render": self.render.synthesis,
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
        return self

    def tensors(self) -> dict[str, Tensor]:
        """Every tensor under `network.name`; the shared noise buffers once, with the photo generator."""
        return {
            f"{name}.{key}": value
            for name, network in self.networks().items()
            for key, value in network.state_dict().items()
            if not _is_shared(name, key)
        }

    def load_tensors(self, tensors: dict[str, Tensor]) -> None:
        """Fill the networks.

        Raises:
            LifelikeError: INVALID_BUNDLE when a tensor is missing, left over, or of another shape.
        """
        left = dict(tensors)
        for name, network in self.networks().items():
            state = {}
            for key, value in network.state_dict().items():
                source = f"photo.{key}" if _is_shared(name, key) else f"{name}.{key}"
                if source not in tensors:
                    raise _mismatch(self.card, f"its tensor {source} is missing")
                if tensors[source].shape != value.shape:
                    shapes = f"{tuple(tensors[source].shape)} instead of {tuple(value.shape)}"
                    raise _mismatch(self.card, f"its tensor {source} has the shape {shapes}")
                state[key] = tensors[source]
                left.pop(source, None)
            network.load_state_dict(state)
        if left:
            raise _mismatch(self.card, f"it has {len(left)} tensors of no network, such as {next(iter(left))}")

    def save(self, path: Path) -> None:
        """Write the bundle as one file."""
        write_bundle(path, self.card, self.tensors())


def _is_shared(name: str, key: str) -> bool:
    return name == "render" and key.endswith("noise_const")


def _mismatch(card: BundleCard, why: str) -> LifelikeError:
    return LifelikeError(
        ErrorCode.INVALID_BUNDLE,
        f"The bundle {card.name} cannot be used: {why}.",
        "Install it again, or choose another bundle.",
    )


def read_bundle(path: Path) -> Bundle:
    """Load a bundle from a file or a folder.

    Raises:
        LifelikeError: INVALID_BUNDLE for a damaged or foreign one.
    """
    bundle = Bundle(read_card(path), bundle_sha256(path))
    bundle.load_tensors(read_tensors(path))
    return bundle
