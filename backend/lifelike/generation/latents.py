# SPDX-License-Identifier: GPL-3.0-or-later
"""Latents drawn from seeds or read from a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from lifelike.generation.space import Space
from lifelike.hashing import file_sha256
from lifelike.networks.stylegan2 import GeneratorSettings
from lifelike_protocol.errors import ErrorCode, LifelikeError

LARGEST_SEED = 2**32 - 1
MOST = 1_000_000
"""Latents at a time; more than anyone looks at."""


@frozen(eq=False)
class Latents:
    """Some latents and where they come from.

    values: [N, z_dim], [N, w_dim] or [N, num_ws, w_dim], floating point; may lie in a file that is read as needed.
    names: what each picture's file is called, less its ending.
    origin: for the provenance, plain values.
    """

    values: NDArray[Any]
    space: Space
    names: tuple[str, ...]
    origin: dict[str, Any]

    def __len__(self) -> int:
        return len(self.values)


def drawn_latents(seeds: str, settings: GeneratorSettings) -> Latents:
    """A z for each seed, drawn as the generate.py of stylegan2-ada-pytorch does, so that a seed shows the same face.

    Args:
        seeds: such as "7", "0-35" (both ends count) or "1,4,10-12".

    Raises:
        LifelikeError: INVALID_SETTING for anything else.
    """
    numbers = read_seeds(seeds)
    values = np.stack([np.random.RandomState(seed).randn(settings.z_dim) for seed in numbers]).astype(np.float32)
    names = tuple(f"seed{seed:04d}" for seed in numbers)
    return Latents(values, Space.Z, names, {"seeds": seeds})


def read_seeds(text: str) -> list[int]:
    """The numbers in "1,4,10-12", in that order; errors as `drawn_latents`."""
    found: dict[int, None] = {}
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        ends = (first, last) if dash else (first, first)
        if not all(end.isascii() and end.isdigit() and len(end) <= 10 for end in ends):
            raise _no_seeds(f"The seeds {text!r} are not understood.")
        start, end = map(int, ends)
        if start > end:
            raise _no_seeds(f"The seeds {part.strip()!r} end before they begin.")
        if end > LARGEST_SEED:
            raise _no_seeds(f"There is no seed {end}; the largest is {LARGEST_SEED}.")
        if len(found) + end - start >= MOST:
            raise _no_seeds(f"The seeds {text!r} are more than {MOST} pictures.")
        found.update(dict.fromkeys(range(start, end + 1)))
    return list(found)


def read_latents(file: Path, settings: GeneratorSettings, space: Space | None = None) -> Latents:
    """Latents of a NumPy file.

    Args:
        file: .npy of [N, z_dim] (z), [N, w_dim] (w) or [N, num_ws, w_dim] (W+), real numbers.
        settings: of the generator they are for.
        space: what [N, D] is where z and w are of one size; None: z.

    Raises:
        LifelikeError: INVALID_FILE for a file that cannot be read or holds no latents for this generator.
    """
    values = _read_array(file)
    found = _space_of(values.shape, settings, space)
    if found is None:
        expected = f"(N, {settings.z_dim}) for z" if space is not Space.W else f"(N, {settings.w_dim}) for w"
        if space is None and settings.w_dim != settings.z_dim:
            expected += f", (N, {settings.w_dim}) for w"
        if space is not Space.Z:
            expected += f" or (N, {settings.num_ws}, {settings.w_dim}) for W+"
        what = f"The latents of {file} have the shape {values.shape}, and the bundle's generator takes {expected}."
        raise LifelikeError(ErrorCode.INVALID_FILE, what, "Give latents made for this generator.")
    if not 0 < len(values) <= MOST:
        what = f"The file {file} has {len(values)} latents."
        raise LifelikeError(ErrorCode.INVALID_FILE, what, f"Give between 1 and {MOST}.")
    for start in range(0, len(values), 4096):
        if not np.isfinite(values[start : start + 4096]).all():
            what = f"The latents of {file} have values that are not finite."
            raise LifelikeError(ErrorCode.INVALID_FILE, what, "Give finite numbers.")
    names = tuple(f"latent{index:04d}" for index in range(len(values)))
    origin = {"latents": file.name, "sha256": file_sha256(file), "shape": [*values.shape]}
    return Latents(values, found, names, origin)


def _space_of(shape: tuple[int, ...], settings: GeneratorSettings, wished: Space | None) -> Space | None:
    fitting = []
    if len(shape) == 2 and shape[1] == settings.z_dim:
        fitting.append(Space.Z)
    if (len(shape) == 2 and shape[1] == settings.w_dim) or shape[1:] == (settings.num_ws, settings.w_dim):
        fitting.append(Space.W)
    if wished is not None:
        return wished if wished in fitting else None
    return fitting[0] if fitting else None


def _read_array(file: Path) -> NDArray[Any]:
    """The array in a .npy file, not yet in memory. Nothing pickled is read."""
    remedy = "Give a NumPy file (.npy) of real numbers."
    try:
        with file.open("rb") as opened:
            if opened.read(6) != np.lib.format.MAGIC_PREFIX:
                raise ValueError("it is no .npy file")
        values: NDArray[Any] = np.load(file, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError, SyntaxError, OverflowError, MemoryError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        what = f"The latents of {file} cannot be read ({reason})."
        raise LifelikeError(ErrorCode.INVALID_FILE, what, remedy) from error
    if values.dtype.kind != "f":
        what = f"The latents of {file} are of the type {values.dtype}."
        raise LifelikeError(ErrorCode.INVALID_FILE, what, remedy)
    return values


def _no_seeds(what: str) -> LifelikeError:
    return LifelikeError(ErrorCode.INVALID_SETTING, what, "Write --seeds 7, --seeds 0-35 or --seeds 1,4,10-12.")
