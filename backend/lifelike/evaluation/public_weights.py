# SPDX-License-Identifier: GPL-3.0-or-later
"""Public networks that some measures need: given as a file, found in a cache, or fetched when that is allowed.

Both are TorchScript files published with stylegan2-ada-pytorch, which need nothing but torch. Nothing here reaches the
network unless the person said so, and nothing fetched is used unless its SHA-256 is the known one.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import platformdirs
import torch
from attrs import frozen

from lifelike.evaluation.report import Missing
from lifelike.hashing import file_sha256
from lifelike_protocol.errors import ErrorCode, LifelikeError

PUBLISHED = "https://nvlabs-fi-cdn.nvidia.com/stylegan2-ada-pytorch/pretrained/metrics/"


@frozen
class PublicWeights:
    """One published file. sha256: "" where none is known: such a file is never fetched, only taken when given."""

    name: str
    needed_for: str
    option: str
    sha256: str

    @property
    def address(self) -> str:
        """Where it is published."""
        return PUBLISHED + self.name


INCEPTION = PublicWeights(
    "inception-2015-12-05.pt",
    "FID and KID",
    "--inception",
    "f58cb9b6ec323ed63459aa4fb441fe750cfe39fafad6da5cb504a16f19e958f4",
)
VGG16 = PublicWeights("vgg16.pt", "LPIPS", "--lpips", "")


def find_weights(weights: PublicWeights, given: Path | None, allow_downloads: bool) -> Path | Missing:
    """The file, or why there is none.

    Args:
        given: what the person named.

    Raises:
        LifelikeError: INVALID_FILE when the named file is not there, or what was fetched is not what was published.
    """
    if given is not None:
        if not given.is_file():
            raise LifelikeError(
                ErrorCode.INVALID_FILE,
                f"There is no file {given}.",
                f"Give {weights.option} the file {weights.name}, published at {weights.address}.",
            )
        return given
    for place in cached_places(weights):
        if place.is_file() and (not weights.sha256 or file_sha256(place) == weights.sha256):
            return place
    if allow_downloads and weights.sha256:
        return _fetch(weights)
    why = f"{weights.name} was not given and is not in the cache"
    if weights.sha256:
        return Missing(weights.needed_for, f"{why}.", f"Say {weights.option} FILE, or --allow-downloads.", True)
    return Missing(
        weights.needed_for,
        f"{why}, and as no hash of it is published it is not fetched.",
        f"Fetch it yourself from {weights.address} and say {weights.option} FILE.",
        needs_truth=True,
    )


def cached_places(weights: PublicWeights) -> list[Path]:
    """Where the file may lie already: in our cache, or in the one of stylegan2-ada-pytorch."""
    others = Path.home() / ".cache" / "dnnlib" / "downloads"
    return [cache_folder() / weights.name, *sorted(others.glob(f"*_{weights.name}"))]


def cache_folder() -> Path:
    """Where fetched files are kept."""
    return platformdirs.user_cache_path("lifelike", appauthor=False) / "weights"


def _fetch(weights: PublicWeights) -> Path:
    try:
        import pooch
    except ImportError as error:
        raise LifelikeError(
            ErrorCode.INVALID_FILE, "Fetching weights needs pooch.", "Run: pip install 'lifelike[train]'"
        ) from error
    try:
        return Path(
            pooch.retrieve(weights.address, f"sha256:{weights.sha256}", fname=weights.name, path=cache_folder())
        )
    except Exception as error:  # pooch raises ValueError for a wrong hash, and whatever requests does
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
        raise LifelikeError(
            ErrorCode.INVALID_FILE,
            f"{weights.name} could not be fetched ({reason}).",
            f"Fetch it from {weights.address} yourself and say {weights.option} FILE, or leave --allow-downloads away.",
        ) from error


def load_script(file: Path, what: str) -> Any:
    """A TorchScript network, on the CPU.

    Raises:
        LifelikeError: INVALID_FILE for anything else.
    """
    try:
        return torch.jit.load(str(file), map_location="cpu").eval()
    except Exception as error:  # damaged files raise anything from RuntimeError to ValueError
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
        raise LifelikeError(
            ErrorCode.INVALID_FILE, f"{what} {file} cannot be read ({reason}).", "Give a TorchScript file."
        ) from error
