# SPDX-License-Identifier: GPL-3.0-or-later
"""One 3×3 convolution by the compiled kernels, with its weights prepared once."""

from __future__ import annotations

import ctypes
from ctypes import byref, c_int32

import torch
import torch.nn.functional as F
from torch import Tensor

from lifelike.execution.arena import uninitialised
from lifelike.execution.kernels.interface import Change, Convolution, Kernels
from lifelike.execution.threads import together

TILES = 48  # measured: more leave the caches, fewer read the weights too often
RESULTS = {Change.SAME: 4, Change.DOUBLED: 6, Change.HALVED: 3}  # of a tile along an axis
PANEL = 64  # outputs multiplied together on the widest vectors


def padded(channels: int, lanes: int) -> int:
    """Channels rounded up to whole vectors."""
    return -(-channels // lanes) * lanes


def empty_activations(count: int, channels: int, height: int, width: int, lanes: int, half: bool) -> Tensor:
    """[N, channels, height, width], channels last, with room for whole vectors of channels between the pixels."""
    dtype = torch.bfloat16 if half else torch.float32
    return uninitialised(count, height, width, padded(channels, lanes), dtype=dtype).permute(0, 3, 1, 2)[:, :channels]


def activations(x: Tensor, lanes: int, half: bool) -> Tensor:
    """`x` itself where it lies in memory as `empty_activations` would, else a copy."""
    dtype = torch.bfloat16 if half else torch.float32
    count, channels, height, width = x.shape
    between = padded(channels, lanes)
    wanted = (height * width * between, 1, width * between, between)
    if x.dtype == dtype and x.stride()[1:] == wanted[1:] and (count == 1 or x.stride(0) == wanted[0]):
        return x
    copy = empty_activations(count, channels, height, width, lanes, half)
    if between != channels:
        copy.as_strided((count, between, height, width), wanted).zero_()
    return copy.copy_(x)


def vectors(values: Tensor, lanes: int) -> Tensor:
    """[N, C] float32 → the same with zeros up to whole vectors."""
    missing = padded(values.shape[-1], lanes) - values.shape[-1]
    return (F.pad(values, (0, missing)) if missing else values).contiguous()


def changed(side: int, change: Change) -> int:
    """What becomes of a side."""
    return {Change.SAME: side, Change.DOUBLED: 2 * side, Change.HALVED: -(-side // 2)}[change]


class FusedConvolution:
    """x · scale + shift → 3×3 convolution → · gain + bias + noise → leaky ReLU → + added.

    Args:
        weight: [O, I, 3, 3] float32 on the CPU. Doubling: that of a transposed convolution with stride 2 (as [O, I, …])
            before a blur with the filter 1, 3, 3, 1. Halving: of a convolution with stride 2.
        half: multiplies bf16 and keeps activations in bf16; sums and all else in fp32.
    """

    def __init__(self, kernels: Kernels, weight: Tensor, *, change: Change = Change.SAME, half: bool = False) -> None:
        self.kernels, self.change, self.half = kernels, change, half
        self.dtype = torch.bfloat16 if half else torch.float32
        self.outputs, self.inputs = weight.shape[:2]
        lanes = kernels.lanes
        rows, columns = padded(self.inputs, lanes), padded(self.outputs, lanes)
        taps = weight.detach().flip(2, 3) if change is Change.DOUBLED else weight.detach()
        taps = F.pad(taps.permute(2, 3, 1, 0), (0, columns - self.outputs, 0, rows - self.inputs)).float().contiguous()
        self.packed = torch.empty(kernels.packed_matrices(change) * rows * columns, dtype=self.dtype)
        kernels.pack_weight(taps.data_ptr(), rows, columns, change, half, self.packed.data_ptr())

    def __call__(
        self,
        x: Tensor,
        *,
        scale: Tensor,
        gain: Tensor,
        bias: Tensor,
        slope: Tensor,
        shift: Tensor | None = None,
        noise: Tensor | None = None,
        added: Tensor | None = None,
    ) -> Tensor:
        """[NIRR] of any layout → [NORR] of `empty_activations`' (O is a view of whole vectors), R doubled or halved.

        Args:
            scale, gain: [N, I], [N, O] float32.
            shift, bias, slope: [I], [O], [O] float32.
            noise: [1 or N, R, R] float32, of the output's size.
            added: [NORR].
        """
        lanes = self.kernels.lanes
        count, _, height, width = x.shape
        x = activations(x, lanes, self.half)
        sides = (changed(height, self.change), changed(width, self.change))
        y = empty_activations(count, self.outputs, *sides, lanes, self.half)
        scale, gain, bias, slope = (vectors(values, lanes) for values in (scale, gain, bias, slope))
        shift = None if shift is None else vectors(shift, lanes)
        noise = None if noise is None else noise.float().contiguous()
        added = None if added is None else activations(added, lanes, self.half)
        job = Convolution(inputs=padded(self.inputs, lanes), outputs=padded(self.outputs, lanes), half=self.half)
        job.height, job.width, job.change = height, width, self.change
        job.weight, job.bias, job.slope = self.packed.data_ptr(), bias.data_ptr(), slope.data_ptr()
        job.shift = None if shift is None else shift.data_ptr()
        z = self._before_blur(height, width, job.outputs)
        job.z = None if z is None else z.data_ptr()
        self._divide(job, *sides)
        for index in range(count):
            job.x, job.y = x[index].data_ptr(), y[index].data_ptr()
            job.scale, job.gain = scale[index].data_ptr(), gain[index].data_ptr()
            job.noise = None if noise is None else noise[index if noise.shape[0] > 1 else 0].data_ptr()
            job.added = None if added is None else added[index].data_ptr()
            self._run(job)
        return y

    def _before_blur(self, height: int, width: int, channels: int) -> Tensor | None:
        """Room for one picture that is doubled."""
        if self.change is not Change.DOUBLED:
            return None
        return uninitialised(2 * height + 1, 2 * width + 1, channels, dtype=self.dtype)

    def _divide(self, job: Convolution, height: int, width: int) -> None:
        """Into jobs: strips of tiles and, where those are too few for the threads, parts of the outputs."""
        side, more = RESULTS[self.change], int(self.change is Change.DOUBLED)
        tiles = -(-(height + more) // side) * -(-(width + more) // side)
        strips, panels = -(-tiles // TILES), -(-job.outputs // PANEL)
        job.tiles = -(-tiles // strips)
        job.groups = min(panels, -(-2 * torch.get_num_threads() // strips))

    def _run(self, job: Convolution) -> None:
        following = c_int32(0)
        job.next = ctypes.addressof(following)
        size = self.kernels.scratch_bytes(byref(job))

        def work() -> None:
            scratch = torch.empty(size, dtype=torch.uint8)  # aligned to 64 bytes by torch
            self.kernels.convolve(byref(job), scratch.data_ptr())

        together(work)
        if self.change is Change.DOUBLED:
            following.value = 0
            together(lambda: self.kernels.blur(byref(job)))


class StaticConvolution:
    """A `FusedConvolution` all of whose numbers are known, as every one is that no style changes.

    Args:
        weight, change, half: as `FusedConvolution`'s.
        bias: [O] float32; scale, shift: [I]; gain, slope: [O]; by default they change nothing.
    """

    def __init__(
        self,
        kernels: Kernels,
        weight: Tensor,
        bias: Tensor,
        *,
        scale: Tensor | None = None,
        shift: Tensor | None = None,
        gain: Tensor | None = None,
        slope: Tensor | None = None,
        change: Change = Change.SAME,
        half: bool = False,
    ) -> None:
        self._convolution = FusedConvolution(kernels, weight, change=change, half=half)
        outputs, inputs = weight.shape[:2]
        self._bias, self._shift = bias, shift
        self._scale = torch.ones(inputs) if scale is None else scale
        self._gain = torch.ones(outputs) if gain is None else gain
        self._slope = torch.ones(outputs) if slope is None else slope

    def __call__(self, x: Tensor, added: Tensor | None = None) -> Tensor:
        """As `FusedConvolution`: [NIRR] → [NORR], R doubled or halved; added: [NORR]."""
        count = x.shape[0]
        scale, gain = self._scale.expand(count, -1), self._gain.expand(count, -1)
        return self._convolution(
            x, scale=scale, shift=self._shift, gain=gain, bias=self._bias, slope=self._slope, added=added
        )
