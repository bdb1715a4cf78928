# SPDX-License-Identifier: GPL-3.0-or-later
"""The small encoder of a bundle: portrait → latent.

The latent has two parts. The W+ code is one w plus an offset for each layer (e4e, Tov et al.,
arXiv 2102.02766, section 4.1). The feature code is what W+ cannot say about where things are: a map
that is added to the generator's activations at one resolution (Yao et al., arXiv 2202.02183, who replace
the activations; adding is reconstructed, so that a latent without features is a plain W+ code).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from attrs import frozen
from torch import Tensor, nn

from lifelike.networks.faster import Faster, usable
from lifelike.networks.stylegan2 import Linear


@frozen
class EncoderSettings:
    """Sizes of an encoder. `feature_channels` are the generator's at each of `feature_resolutions`, which rise.

    patch: side of the squares of pixels that the first convolution reads as one (pixel unshuffle); with 2 a portrait
        of 256 pixels costs as much as one of 128.
    """

    resolution: int = 128
    patch: int = 1
    num_ws: int = 12
    w_dim: int = 128
    width: int = 32
    width_max: int = 160
    gathered: int = 64
    feature_resolutions: tuple[int, ...] = (32, 64)
    feature_channels: tuple[int, ...] = (96, 48)


@frozen
class Latent:
    """A portrait as the generators see it.

    ws: W+ code, [N, num_ws, w_dim] float32.
    features: {resolution: [N, C, resolution, resolution]}, empty for a plain W+ code.
    """

    ws: Tensor
    features: dict[int, Tensor]


class Residual(nn.Module):
    """Two 3×3 convolutions beside a shortcut; `down` halves the resolution."""

    faster: Faster | None = None

    def __init__(self, inputs: int, outputs: int, *, down: bool = False) -> None:
        super().__init__()
        self.norm0 = nn.GroupNorm(8, inputs)
        self.norm1 = nn.GroupNorm(8, outputs)
        self.conv0 = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.conv1 = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.shortcut = nn.Conv2d(inputs, outputs, 1) if inputs != outputs else nn.Identity()
        self.down = down

    def forward(self, x: Tensor) -> Tensor:
        if faster := usable(self.faster):
            computed: Tensor = faster(x)
            return computed
        if self.down:
            x = F.avg_pool2d(x, 2)
        y = self.conv1(F.silu(self.norm1(self.conv0(F.silu(self.norm0(x))))))
        result: Tensor = self.shortcut(x) + y
        return result


class Encoder(nn.Module):
    """Portrait → `Latent`."""

    faster: Faster | None = None
    w_avg: Tensor

    def __init__(self, settings: EncoderSettings) -> None:
        super().__init__()
        self.settings = settings
        self.register_buffer("w_avg", torch.zeros(settings.w_dim))
        self.stem = nn.Conv2d(3 * settings.patch**2, settings.width, 3, padding=1)
        resolution, channels = settings.resolution // settings.patch, settings.width
        widths = {resolution: channels}
        down = []
        while resolution > 4:
            outputs = min(channels * 2, settings.width_max)
            down.append(Residual(channels, outputs, down=True))
            resolution, channels = resolution // 2, outputs
            widths[resolution] = channels
        self.down = nn.ModuleList(down)
        self.gather = nn.Conv2d(channels, settings.gathered, 1)
        self.base = Linear(settings.gathered * 16, settings.w_dim)
        self.offsets = Linear(settings.gathered * 16, settings.num_ws * settings.w_dim)
        self.up = nn.ModuleList()
        self.to_features = nn.ModuleDict()
        wanted = dict(zip(settings.feature_resolutions, settings.feature_channels, strict=True))
        while resolution < max(wanted, default=0):
            self.up.append(Residual(channels + widths[resolution * 2], widths[resolution * 2]))
            resolution *= 2
            channels = widths[resolution]
            if resolution in wanted:
                last = nn.Conv2d(channels, wanted[resolution], 3, padding=1)
                self.to_features[str(resolution)] = nn.Sequential(nn.GroupNorm(8, channels), nn.SiLU(), last)
        with torch.no_grad():  # start at the mean face, so that the first steps are small
            for name, parameter in self.named_parameters():
                if name in ("base.weight", "offsets.weight") or (
                    name.startswith("to_features") and parameter.ndim == 4
                ):
                    parameter.mul_(0.05)

    def forward(self, portrait: Tensor) -> Latent:
        """portrait: [N3RR], −1…1 → the latent of N portraits."""
        latent: Latent = (usable(self.faster) or self.compute)(portrait)
        return latent

    def compute(self, portrait: Tensor) -> Latent:
        """Layer by layer what `forward` says."""
        x = self.stem(F.pixel_unshuffle(portrait, self.settings.patch))
        skips = []
        for block in self.down:
            skips.append(x)
            x = block(x)
        flat = F.silu(self.gather(x)).flatten(1).float()
        offsets = self.offsets(flat).unflatten(1, (self.settings.num_ws, self.settings.w_dim))
        ws = self.w_avg + self.base(flat)[:, None] + offsets
        features = {}
        for block in self.up:
            skip = skips.pop()
            x = block(torch.cat([F.interpolate(x, size=skip.shape[-2:], mode="nearest"), skip], 1))
            resolution = x.shape[-1]
            if str(resolution) in self.to_features:
                features[resolution] = self.to_features[str(resolution)](x).float()
        return Latent(ws.float(), features)
