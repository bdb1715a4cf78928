# SPDX-License-Identifier: GPL-3.0-or-later
"""Which processor works, how many threads it takes, and giving memory back."""

from __future__ import annotations

import ctypes
import gc
import os
import sys

import torch

from lifelike.execution.arena import THIS_PROCESS
from lifelike_protocol.errors import ErrorCode, LifelikeError

THREADS_VARIABLE = "LIFELIKE_THREADS"


def choose_device(wish: str) -> str:
    """The torch device for "auto", "cpu" or "cuda": "cpu" or "cuda".

    Raises:
        LifelikeError: INVALID_SETTING for another word, or for "cuda" where torch sees no GPU.
    """
    if wish == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if wish == "cuda" and not torch.cuda.is_available():
        raise LifelikeError(
            ErrorCode.INVALID_SETTING,
            "The device cuda was asked for, but torch sees no NVIDIA GPU.",
            "Use --device auto, or install the CUDA build with: install.py --cuda",
        )
    if wish not in ("cpu", "cuda"):
        raise LifelikeError(ErrorCode.INVALID_SETTING, f"There is no device {wish!r}.", "Use auto, cpu or cuda.")
    return wish


def set_threads(threads: int | None) -> None:
    """Let torch use `threads` CPU threads; None: LIFELIKE_THREADS where it is set, else torch's own choice.

    Raises:
        LifelikeError: INVALID_SETTING when the number is no whole number of at least 1.
    """
    wish = os.environ.get(THREADS_VARIABLE, "") if threads is None else str(threads)
    if not wish:
        return
    if not wish.isascii() or not wish.isdigit() or int(wish) < 1:
        raise LifelikeError(
            ErrorCode.INVALID_SETTING,
            f"The number of threads must be a whole number of at least 1, not {wish!r}.",
            f"Change --threads or {THREADS_VARIABLE}.",
        )
    torch.set_num_threads(int(wish))


def give_memory_back() -> None:
    """Return memory nobody refers to any more to the GPU and to the operating system."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    return_freed_memory()


def return_freed_memory() -> None:
    """Return what the C library and the networks' arena keep of freed memory; it takes milliseconds.

    Pictures of changing sizes leave gaps between what is still in use; without this the process would seem to grow.
    """
    THIS_PROCESS.give_back()
    if sys.platform == "linux":
        # Only glibc has the call.
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)
