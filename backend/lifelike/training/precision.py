# SPDX-License-Identifier: GPL-3.0-or-later
"""Which floating-point precision a training is fastest in without losing its way."""

from __future__ import annotations

import torch

from lifelike_protocol.errors import ErrorCode, LifelikeError

PRECISIONS = ("auto", "32-true", "bf16-mixed", "16-mixed")


def choose_precision(wish: str, accelerator: str) -> str:
    """Lightning Fabric's name of the precision for "auto", or the wish itself.

    bf16 where the processor multiplies it: NVIDIA from Ampere on, CPUs with AVX512-BF16 or AMX. fp16, whose small range
    needs a loss scale, on older NVIDIA GPUs. Everything else stays in fp32, as does the CPU where fp16 is asked for in
    vain.

    Raises:
        LifelikeError: INVALID_SETTING for another word, or fp16 without a CUDA GPU.
    """
    if wish not in PRECISIONS:
        what = f"There is no precision {wish!r}."
        raise LifelikeError(ErrorCode.INVALID_SETTING, what, f"Set run.precision to one of {', '.join(PRECISIONS)}.")
    cuda = torch.cuda.is_available() and accelerator in ("auto", "cuda", "gpu")
    if wish == "16-mixed" and not cuda:
        what = "The precision 16-mixed needs a CUDA GPU."
        raise LifelikeError(ErrorCode.INVALID_SETTING, what, "Set run.precision to auto.")
    if wish != "auto":
        return wish
    if cuda:
        return "bf16-mixed" if torch.cuda.get_device_capability() >= (8, 0) else "16-mixed"
    if accelerator in ("auto", "cpu") and not torch.backends.mps.is_available() and cpu_multiplies_bf16():
        return "bf16-mixed"
    return "32-true"


def cpu_multiplies_bf16() -> bool:
    """Whether this processor has instructions for products of bf16 numbers."""
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())
