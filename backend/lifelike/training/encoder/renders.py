# SPDX-License-Identifier: GPL-3.0-or-later
"""Batches for the encoder: renders with their photo look where there is one, and pictures of drawn latents."""

from __future__ import annotations

import numpy as np
import torch
from attrs import frozen
from numpy.typing import NDArray
from torch import Tensor

from lifelike.networks.stylegan2 import Generator
from lifelike.training.encoder.settings import DrawnSettings
from lifelike.training.portraits import PortraitData, Portraits, read_portraits
from lifelike.training.random_pictures import signed
from lifelike_protocol.errors import ErrorCode, LifelikeError


@frozen
class Batch:
    """One batch; drawn pictures stand last.

    render: [N3RR] −1…1, what is to be inverted. photo: [M3RR], truths of the pictures at `paired`, [M] indices.
    drawn: [K, w_dim], the latents of the last K pictures.
    """

    render: Tensor
    photo: Tensor
    paired: Tensor
    drawn: Tensor


class Renders:
    """Renders of one or several data sets.

    Attributes:
        training, reserved: indices of renders, of people to train on and of reserved ones.
        twin: (N,) index of each picture's photo look, −1 where there is none.
    """

    def __init__(self, portraits: Portraits, reserved: str) -> None:
        self.pictures = portraits.pictures
        is_render = portraits.look != "photo"
        held_out = portraits.held_out(reserved)
        self.training = np.flatnonzero(is_render & ~held_out)
        self.reserved = np.flatnonzero(is_render & held_out)
        photos = np.flatnonzero(~is_render)
        photo_of = dict(zip(portraits.shot[photos].tolist(), photos.tolist(), strict=True))
        self.twin = np.array([photo_of.get(shot, -1) for shot in portraits.shot.tolist()], np.int64)

    def show(self, indices: NDArray[np.int64]) -> Tensor:
        """[N3RR] float32, −1…1."""
        return signed(torch.from_numpy(self.pictures[indices]))


def read_renders(data: PortraitData, resolution: int) -> Renders:
    """The renders of the data sets with their photo looks.

    Raises:
        LifelikeError: INVALID_SETTING when there is none to train on; else as `read_portraits`.
    """
    renders = Renders(read_portraits(data, resolution), data.reserved)
    if len(renders.training) == 0:
        what = "There is no render in the data sets but of reserved people."
        raise LifelikeError(ErrorCode.INVALID_SETTING, what, "Add data sets of renders, or change data.reserved.")
    return renders


class EncoderBatches:
    """Random batches.

    Args:
        renders: None where all pictures are drawn.
        generator: makes the drawn pictures; frozen, on its device.
        pairs: whether photo looks are wanted.
    """

    def __init__(self, renders: Renders | None, generator: Generator, drawn: DrawnSettings, pairs: bool) -> None:
        self.renders, self.generator, self.drawn, self.pairs = renders, generator, drawn, pairs

    def draw(self, count: int, device: torch.device) -> Batch:
        """`count` pictures on a device, half of the renders mirrored (their photo looks with them)."""
        # Rounded up or down at random, so that a share of a small part is not always nothing.
        made = count if self.renders is None else int(count * self.drawn.share + float(torch.rand(())))
        w = self.latents(made, device)
        pictures = self.pictures_of(w)
        if self.renders is None or made == count:
            return Batch(pictures, pictures[:0], torch.zeros(0, dtype=torch.long, device=device), w)
        chosen = self.renders.training[torch.randint(len(self.renders.training), (count - made,)).numpy()]
        mirrored = torch.rand(len(chosen)) < 0.5
        twin = self.renders.twin[chosen] if self.pairs else np.full(len(chosen), -1)
        paired = torch.from_numpy(np.flatnonzero(twin >= 0))
        render = _mirrored(self.renders.show(chosen), mirrored).to(device)
        photo = render[:0]
        if len(paired):
            photo = _mirrored(self.renders.show(twin[twin >= 0]), mirrored[paired]).to(device)
        return Batch(torch.cat([render, pictures]), photo, paired.to(device), w)

    @torch.no_grad()
    def pictures_of(self, w: Tensor) -> Tensor:
        """What the generator makes of w: [N, w_dim] → [N3RR]."""
        side = self.generator.settings.resolution
        if len(w) == 0:
            return torch.zeros(0, 3, side, side, device=w.device)
        pictures: Tensor = self.generator.synthesis(self.generator.w_plus(w))
        return pictures

    @torch.no_grad()
    def latents(self, count: int, device: torch.device) -> Tensor:
        """Drawn w in full precision, [count, w_dim]."""
        z = torch.randn(count, self.generator.settings.z_dim).to(device)
        with torch.autocast(device.type, enabled=False):
            w: Tensor = self.generator.mapping(z, self.drawn.truncation)
        return w


def _mirrored(pictures: Tensor, which: Tensor) -> Tensor:
    return torch.where(which[:, None, None, None], pictures.flip(3), pictures)
