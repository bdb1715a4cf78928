# SPDX-License-Identifier: GPL-3.0-or-later
"""Any exception, told as one sentence a person can act on."""

from __future__ import annotations

from pathlib import Path

from lifelike_protocol.errors import ErrorCode, LifelikeError

# torch raises plain RuntimeErrors for a full CPU allocator and for Metal; only CUDA has a type of its own.
ALLOCATOR_WORDS = ("out of memory", "not enough memory", "can't allocate memory", "cannot allocate memory")


def is_out_of_memory(exception: BaseException) -> bool:
    """Whether `exception`, or what it was raised from, is a failed allocation of RAM or GPU memory."""
    seen: BaseException | None = exception
    while seen is not None:
        # torch.OutOfMemoryError is a RuntimeError, so torch itself need not be imported to recognise it.
        if isinstance(seen, MemoryError) or type(seen).__name__ == "OutOfMemoryError":
            return True
        if isinstance(seen, RuntimeError) and any(words in str(seen).lower() for words in ALLOCATOR_WORDS):
            return True
        seen = seen.__cause__
    return False


def out_of_memory() -> LifelikeError:
    """The error of a picture too large for what is free."""
    return LifelikeError(
        ErrorCode.OUT_OF_MEMORY,
        "There was not enough memory for this picture.",
        "Use a smaller picture, close other programs, or choose the CPU as device if the GPU is full.",
    )


def cancelled() -> LifelikeError:
    """What a cancelled picture ends with."""
    return LifelikeError(ErrorCode.CANCELLED, "The picture was cancelled.")


def explain(exception: BaseException, log_file: Path | str = "") -> LifelikeError:
    """The error to show for `exception`: itself when it was expected, else a sentence that names the log.

    Args:
        exception: what was caught.
        log_file: where the traceback was written; empty when it was written nowhere.
    """
    if isinstance(exception, LifelikeError):
        return exception
    if is_out_of_memory(exception):
        return out_of_memory()
    what = f"Something unexpected went wrong ({type(exception).__name__})."
    remedy = f"The log says more: {log_file}" if str(log_file) else "Run the command again with --debug to see more."
    return LifelikeError(ErrorCode.INTERNAL, what, remedy)
