# SPDX-License-Identifier: GPL-3.0-or-later
"""What two pictures look like to a frozen network: the perceptual term.

e4e takes LPIPS, whose weights are not ours to ship; where the person gives them, they are used. Else the activations of
a discriminator trained on renders, or of the identity network, are compared in LPIPS's form without its learnt weights
(reconstructed). All three are frozen; gradients pass through to the picture.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor

from lifelike.evaluation.public_weights import load_script
from lifelike.networks.identities import AnyIdentity
from lifelike.networks.stylegan2 import Discriminator
from lifelike.training.descent import place
from lifelike.training.networks import load_discriminator
from lifelike_protocol.errors import ErrorCode, LifelikeError

if TYPE_CHECKING:
    from lightning_fabric import Fabric

    from lifelike.training.encoder.settings import EncoderTraining

Distance = Callable[[Tensor, Tensor], Tensor]
"""(picture, target), each [N3RR] −1…1 → scalar."""


def perceptual_distance(
    settings: EncoderTraining, identity: AnyIdentity | None, resolution: int, fabric: Fabric
) -> Distance | None:
    """The distance that the settings give the networks for, or None.

    Raises:
        LifelikeError: INVALID_FILE or INVALID_SETTING for a network that cannot be used.
    """
    if settings.lpips:
        return LpipsDistance(Path(settings.lpips), fabric.device)
    if settings.discriminator:
        discriminator = load_discriminator(settings.discriminator, resolution).eval().requires_grad_(False)
        place(discriminator, fabric)
        return ActivationDistance(lambda pictures: discriminator_activations(discriminator, pictures))
    if identity is not None:
        return ActivationDistance(lambda pictures: identity_activations(identity, pictures))
    return None


class ActivationDistance:
    """Squared distance of activations made unit length over the channels, mean over places and layers.

    LPIPS (Zhang et al., arXiv 1801.03924, equation 1) without its learnt weights, which bring the sum over layers to
    about the size that this mean has.
    """

    def __init__(self, observe: Callable[[Tensor], list[Tensor]]) -> None:
        self.observe = observe

    def __call__(self, picture: Tensor, target: Tensor) -> Tensor:
        with torch.no_grad():
            wanted = self.observe(target)
        pairs = zip(self.observe(picture), wanted, strict=True)
        apart = [(_unit(a) - _unit(b)).square().sum(1).mean() for a, b in pairs]
        return torch.stack(apart).mean()


class LpipsDistance:
    """LPIPS by the TorchScript network of stylegan2-ada-pytorch, which takes pictures 0…255.

    Raises:
        LifelikeError: INVALID_FILE for a file that is no such network.
    """

    def __init__(self, file: Path, device: torch.device) -> None:
        self.network: Any = load_script(file, "The LPIPS network").to(device)
        try:
            self(torch.zeros(1, 3, 64, 64, device=device), torch.ones(1, 3, 64, 64, device=device))
        except Exception as error:  # whatever a foreign network raises
            what = f"The file {file} is no LPIPS network."
            remedy = "Give lpips the file vgg16.pt of stylegan2-ada-pytorch."
            raise LifelikeError(ErrorCode.INVALID_FILE, what, remedy) from error

    def __call__(self, picture: Tensor, target: Tensor) -> Tensor:
        with torch.no_grad():
            wanted = self._answer(target)
        return (self._answer(picture) - wanted).square().sum(1).mean()

    def _answer(self, pictures: Tensor) -> Tensor:
        answer: Tensor = self.network((pictures.float() + 1) * 127.5, resize_images=False, return_lpips=True)
        return answer


def discriminator_activations(discriminator: Discriminator, pictures: Tensor) -> list[Tensor]:
    """After each of a discriminator's blocks but the last. pictures: [N3RR]."""
    x, seen = pictures, []
    for resolution in discriminator.settings.resolutions[:0:-1]:
        x = getattr(discriminator, f"b{resolution}")(x)
        seen.append(x)
    return seen


def identity_activations(network: AnyIdentity, pictures: Tensor) -> list[Tensor]:
    """After an identity network's stem and each of its blocks, over the inner face. pictures: [N3RR]."""
    x = network.stem(network.crop(pictures))
    seen = [x]
    for layer in network.stages:
        x = layer(x)
        seen.append(x)
    return seen


def _unit(activations: Tensor) -> Tensor:
    return F.normalize(activations.float(), dim=1, eps=1e-6)
