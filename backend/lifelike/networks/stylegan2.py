# SPDX-License-Identifier: GPL-3.0-or-later
"""StyleGAN2: mapping network, synthesis network and discriminator.

Karras et al., "Analyzing and Improving the Image Quality of StyleGAN" (arXiv 1912.04958), section 2
and appendix B; the discriminator is its residual one. Parameter names follow stylegan2-ada-pytorch, so
that its checkpoints load by name; `tests/backend/test_stylegan2.py` holds both to the same outputs.

Written for speed: styles are multiplied onto the activations and the demodulation onto the result, so
that the weights stay static and every convolution is an ordinary, ungrouped one (equation 3 of the paper,
rearranged); up-sampling is a transposed convolution followed by a depthwise blur.

Shapes: N pictures, C channels, R the side in pixels, L layers of w (`num_ws`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import torch
import torch.nn.functional as F
from attrs import frozen
from torch import Tensor, nn

from lifelike.networks.blur import blur, blur_and_halve
from lifelike.networks.faster import Faster, usable

LEAKY_SLOPE = 0.2
ACTIVATION_GAIN = math.sqrt(2.0)


@frozen
class GeneratorSettings:
    """Sizes of a generator. Channels at resolution R: min(channel_base / R, channel_max)."""

    resolution: int = 128
    channel_base: int = 4096
    channel_max: int = 128
    z_dim: int = 128
    w_dim: int = 128
    mapping_layers: int = 4

    def __attrs_post_init__(self) -> None:
        if self.resolution < 8 or self.resolution & (self.resolution - 1):
            raise ValueError(f"resolution must be a power of two of at least 8, not {self.resolution}")

    @property
    def resolutions(self) -> tuple[int, ...]:
        """4, 8, … , resolution."""
        return tuple(2**k for k in range(2, self.resolution.bit_length()))

    @property
    def num_ws(self) -> int:
        """Layers of W+: one for each convolution and one for the last ToRGB."""
        return 2 * len(self.resolutions)

    def channels(self, resolution: int) -> int:
        """Channels of the activations at `resolution`."""
        return min(self.channel_base // resolution, self.channel_max)


def leaky(x: Tensor, bias: Tensor, gain: float = ACTIVATION_GAIN) -> Tensor:
    """Bias, leaky ReLU and the gain that keeps its variance. x: [NC] or [NCRR]; bias: [C]."""
    bias = bias.to(x.dtype)
    return F.leaky_relu(x + (bias if x.ndim == 2 else bias[:, None, None]), LEAKY_SLOPE) * gain


def memory_format(x: Tensor) -> torch.memory_format:
    """How [NCRR] lies in memory: channels last or contiguous."""
    last = x.is_contiguous(memory_format=torch.channels_last)
    return torch.channels_last if last else torch.contiguous_format


class Linear(nn.Module):
    """Fully connected layer with an equalised learning rate (arXiv 1710.10196, section 4.1)."""

    def __init__(self, inputs: int, outputs: int, *, bias: float = 0.0, lr_multiplier: float = 1.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs) / lr_multiplier)
        self.bias = nn.Parameter(torch.full((outputs,), bias))
        self.weight_gain = lr_multiplier / math.sqrt(inputs)
        self.bias_gain = lr_multiplier

    def forward(self, x: Tensor, activate: bool = False) -> Tensor:  # [NI] → [NO]
        x = F.linear(x, self.weight.to(x.dtype) * self.weight_gain)
        bias = self.bias * self.bias_gain
        return leaky(x, bias) if activate else x + bias.to(x.dtype)


class MappingNetwork(nn.Module):
    """z → w, with the running mean of w for truncation."""

    w_avg: Tensor

    def __init__(self, settings: GeneratorSettings) -> None:
        super().__init__()
        self.layers = settings.mapping_layers
        for index in range(self.layers):
            inputs = settings.z_dim if index == 0 else settings.w_dim
            setattr(self, f"fc{index}", Linear(inputs, settings.w_dim, lr_multiplier=0.01))
        self.register_buffer("w_avg", torch.zeros(settings.w_dim))

    def forward(self, z: Tensor, truncation: float = 1.0) -> Tensor:
        """z: [N, z_dim] → w: [N, w_dim]; truncation ψ pulls w towards its mean (1: not at all)."""
        x = z.float()
        x = x * (x.square().mean(1, keepdim=True) + 1e-8).rsqrt()
        for index in range(self.layers):
            x = getattr(self, f"fc{index}")(x, activate=True)
        x = x.float()  # autocast may have made it bf16
        return x if truncation == 1.0 else self.w_avg.lerp(x, truncation)


class SynthesisLayer(nn.Module):
    """Modulated 3×3 convolution, noise, bias, leaky ReLU; `up` doubles the resolution."""

    noise_const: Tensor

    def __init__(self, inputs: int, outputs: int, w_dim: int, resolution: int, *, up: bool = False) -> None:
        super().__init__()
        self.up = up
        self.affine = Linear(w_dim, inputs, bias=1.0)
        self.weight = nn.Parameter(torch.randn(outputs, inputs, 3, 3))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.noise_strength = nn.Parameter(torch.zeros(()))
        self.register_buffer("noise_const", torch.randn(resolution, resolution))

    def forward(self, x: Tensor, w: Tensor, noise: Tensor | None) -> Tensor:
        """x: [NIRR], w: [N, w_dim], noise: [RR], [N1RR] or None → [NORR]."""
        style = self.affine(w.float())  # [NI]
        power = self.weight.float().square().sum((2, 3))  # [OI]
        demodulation = (F.linear(style.square(), power) + 1e-8).rsqrt() * ACTIVATION_GAIN  # [NO]
        x = x * style.to(x.dtype)[:, :, None, None]
        weight = self.weight.to(x.dtype)
        if self.up:
            x = blur(F.conv_transpose2d(x, weight.transpose(0, 1), stride=2), padding=1, gain=4.0)
        else:
            x = F.conv2d(x, weight, padding=1)
        # The gain goes in before the leaky ReLU, which it passes; noise and bias as one map: two passes, not five.
        x = x * demodulation.to(x.dtype)[:, :, None, None] + self._offset(noise, x)
        return F.leaky_relu(x, LEAKY_SLOPE)

    def _offset(self, noise: Tensor | None, x: Tensor) -> Tensor:
        """Bias and noise, scaled by the gain: [1O11], [1ORR] or [NORR], laid out in memory as `x` is."""
        offset = self.bias[None, :, None, None]
        if noise is not None:
            maps = noise if noise.ndim == 4 else noise[None, None]
            offset = (offset + maps * self.noise_strength).contiguous(memory_format=memory_format(x))
        return (offset * ACTIVATION_GAIN).to(x.dtype)


class ToRGB(nn.Module):
    """Modulated 1×1 convolution to red, green, blue, without demodulation."""

    def __init__(self, inputs: int, w_dim: int) -> None:
        super().__init__()
        self.affine = Linear(w_dim, inputs, bias=1.0)
        self.weight = nn.Parameter(torch.randn(3, inputs, 1, 1))
        self.bias = nn.Parameter(torch.zeros(3))
        self.weight_gain = 1 / math.sqrt(inputs)

    def forward(self, x: Tensor, w: Tensor) -> Tensor:  # [NIRR], [N, w_dim] → [N3RR]
        style = self.affine(w.float()) * self.weight_gain
        x = F.conv2d(x * style.to(x.dtype)[:, :, None, None], self.weight.to(x.dtype))
        return x + self.bias.to(x.dtype)[:, None, None]


class SynthesisBlock(nn.Module):
    """One resolution: two layers (one at 4×4) and the skip connection to RGB."""

    faster: Faster | None = None

    def __init__(self, settings: GeneratorSettings, resolution: int) -> None:
        super().__init__()
        outputs, w_dim = settings.channels(resolution), settings.w_dim
        self.first = resolution == 4
        if self.first:
            self.const = nn.Parameter(torch.randn(outputs, 4, 4))
        else:
            self.conv0 = SynthesisLayer(settings.channels(resolution // 2), outputs, w_dim, resolution, up=True)
        self.conv1 = SynthesisLayer(outputs, outputs, w_dim, resolution)
        self.torgb = ToRGB(outputs, w_dim)

    @property
    def layers(self) -> tuple[SynthesisLayer, ...]:
        """The block's modulated convolutions, in order."""
        return (self.conv1,) if self.first else (self.conv0, self.conv1)

    def forward(
        self, x: Tensor | None, image: Tensor | None, ws: Tensor, noise: list[Tensor | None], added: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """ws: [N, layers + 1, w_dim]; added: [NCRR] or None → activations [NCRR] and RGB so far [N3RR]."""
        if faster := usable(self.faster):
            shown: tuple[Tensor, Tensor] = faster(x, image, ws, noise, added)
            return shown
        if x is None:
            x = self.const.expand(ws.shape[0], -1, -1, -1)
        for index, layer in enumerate(self.layers):
            x = layer(x, ws[:, index], noise[index])
        if added is not None:
            x = x + added.to(x.dtype)
        rgb = self.torgb(x, ws[:, len(self.layers)]).float()
        if image is not None:
            # Doubling with this filter is bilinear up-sampling of a picture with zeros around it.
            image = F.interpolate(F.pad(image, (1, 1, 1, 1)), scale_factor=2, mode="bilinear")[:, :, 2:-2, 2:-2]
            rgb = rgb + image
        return x, rgb


class SynthesisNetwork(nn.Module):
    """W+ → picture."""

    faster: Faster | None = None

    def __init__(self, settings: GeneratorSettings) -> None:
        super().__init__()
        self.settings = settings
        for resolution in settings.resolutions:
            setattr(self, f"b{resolution}", SynthesisBlock(settings, resolution))

    def block(self, resolution: int) -> SynthesisBlock:
        """The block of one resolution."""
        block: SynthesisBlock = getattr(self, f"b{resolution}")
        return block

    def forward(
        self,
        ws: Tensor,
        noise: str = "const",
        features: Mapping[int, Tensor] | None = None,
        observe: Callable[[int, Tensor, Tensor], None] | None = None,
    ) -> Tensor:
        """Makes pictures.

        Args:
            ws: W+ codes, [N, num_ws, w_dim].
            noise: "const" (the stored buffers), "random" or "none".
            features: for some resolutions, what to add to the activations there, [NCRR] (the feature
                code of Yao et al., arXiv 2202.02183, as a residual; reconstructed for this method).
            observe: called after each resolution with it, the activations [NCRR] and the RGB so far [N3RR].

        Returns:
            [N, 3, R, R] float32, about −1…1, not clipped.
        """
        faster = usable(self.faster) if observe is None else None
        picture: Tensor = faster(ws, noise, features) if faster else self.compute(ws, noise, features, observe)
        return picture

    def compute(
        self,
        ws: Tensor,
        noise: str,
        features: Mapping[int, Tensor] | None,
        observe: Callable[[int, Tensor, Tensor], None] | None = None,
    ) -> Tensor:
        """Block by block what `forward` says."""
        x: Tensor | None = None
        image: Tensor | None = None
        index = 0
        for resolution in self.settings.resolutions:
            block = self.block(resolution)
            count = len(block.layers)
            maps = [self._noise(layer, ws, noise) for layer in block.layers]
            added = features.get(resolution) if features else None
            x, image = block(x, image, ws[:, index : index + count + 1], maps, added)
            if observe is not None:
                observe(resolution, x, image)
            index += count
        assert image is not None
        return image

    @staticmethod
    def _noise(layer: SynthesisLayer, ws: Tensor, noise: str) -> Tensor | None:
        if noise == "const":
            return layer.noise_const
        if noise == "random":
            return torch.randn(ws.shape[0], 1, *layer.noise_const.shape, device=ws.device)
        if noise == "none":
            return None
        raise ValueError(f'noise is "const", "random" or "none", not {noise!r}')


class Generator(nn.Module):
    """z → w → picture."""

    def __init__(self, settings: GeneratorSettings) -> None:
        super().__init__()
        self.settings = settings
        self.mapping = MappingNetwork(settings)
        self.synthesis = SynthesisNetwork(settings)

    def w_plus(self, w: Tensor) -> Tensor:
        """One w for every layer: [N, w_dim] → [N, num_ws, w_dim]."""
        return w[:, None].expand(-1, self.settings.num_ws, -1)

    def forward(self, z: Tensor, truncation: float = 1.0, noise: str = "const") -> Tensor:
        """z: [N, z_dim] → [N3RR], about −1…1; truncation ψ and noise as in the two networks."""
        image: Tensor = self.synthesis(self.w_plus(self.mapping(z, truncation)), noise)
        return image


class EqualConv(nn.Module):
    """Convolution with an equalised learning rate; `down` halves the resolution after a blur."""

    def __init__(self, inputs: int, outputs: int, kernel: int, *, bias: bool = True, down: bool = False) -> None:
        super().__init__()
        self.down, self.kernel = down, kernel
        self.weight = nn.Parameter(torch.randn(outputs, inputs, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(outputs)) if bias else None
        self.weight_gain = 1 / math.sqrt(inputs * kernel**2)

    def forward(self, x: Tensor, gain: float = 1.0) -> Tensor:  # [NIRR] → [NORR]
        # All gains go into weight and bias, which the leaky ReLU lets pass: one pass over the activations, not four.
        gain = gain if self.bias is None else gain * ACTIVATION_GAIN
        weight = (self.weight * (self.weight_gain * gain)).to(x.dtype)
        bias = None if self.bias is None else (self.bias * gain).to(x.dtype)
        if self.down and self.kernel == 1:
            x = F.conv2d(blur_and_halve(x), weight, bias)
        elif self.down:
            x = F.conv2d(blur(x, padding=2), weight, bias, stride=2)
        else:
            x = F.conv2d(x, weight, bias, padding=self.kernel // 2)
        return x if bias is None else F.leaky_relu(x, LEAKY_SLOPE)


class DiscriminatorBlock(nn.Module):
    """Residual block that halves the resolution; the first one starts from RGB."""

    def __init__(self, inputs: int, outputs: int, *, rgb: bool) -> None:
        super().__init__()
        if rgb:
            self.fromrgb = EqualConv(3, inputs, 1)
        self.conv0 = EqualConv(inputs, inputs, 3)
        self.conv1 = EqualConv(inputs, outputs, 3, down=True)
        self.skip = EqualConv(inputs, outputs, 1, bias=False, down=True)
        self.rgb = rgb

    def forward(self, x: Tensor) -> Tensor:  # [N3RR] or [NIRR] → [NO, R/2, R/2]
        if self.rgb:
            x = self.fromrgb(x)
        half = math.sqrt(0.5)
        result: Tensor = self.skip(x, gain=half) + self.conv1(self.conv0(x), gain=half)
        return result


def minibatch_deviation(x: Tensor, group: int = 4) -> Tensor:
    """Adds one channel: the mean deviation within groups of the batch (arXiv 1710.10196, section 3)."""
    count, channels, height, width = x.shape
    group = math.gcd(min(group, count), count)
    y = x.float().reshape(group, -1, channels, height, width)
    y = (y.var(0, unbiased=False) + 1e-8).sqrt().mean((1, 2, 3))  # [N / group]
    y = y.reshape(-1, 1, 1, 1).repeat(group, 1, height, width)
    return torch.cat([x, y.to(x.dtype)], 1)


class DiscriminatorEpilogue(nn.Module):
    """4×4 activations → one logit."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = EqualConv(channels + 1, channels, 3)
        self.fc = Linear(channels * 16, channels)
        self.out = Linear(channels, 1)

    def forward(self, x: Tensor) -> Tensor:  # [NC44] → [N1]
        x = self.conv(minibatch_deviation(x))
        logit: Tensor = self.out(self.fc(x.flatten(1), activate=True))
        return logit.float()


class Discriminator(nn.Module):
    """Picture → logit, high for pictures like the training set's."""

    def __init__(self, settings: GeneratorSettings) -> None:
        super().__init__()
        self.settings = settings
        for resolution in settings.resolutions[:0:-1]:
            inputs, outputs = settings.channels(resolution), settings.channels(resolution // 2)
            block = DiscriminatorBlock(inputs, outputs, rgb=resolution == settings.resolution)
            setattr(self, f"b{resolution}", block)
        self.b4 = DiscriminatorEpilogue(settings.channels(4))

    def forward(self, image: Tensor) -> Tensor:
        """image: [N3RR], −1…1 → logits [N1]."""
        x = image
        for resolution in self.settings.resolutions[:0:-1]:
            x = getattr(self, f"b{resolution}")(x)
        logits: Tensor = self.b4(x)
        return logits
