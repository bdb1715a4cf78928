# SPDX-License-Identifier: GPL-3.0-or-later
"""Where bundles are found: the built-in one, the user's folder, or any path."""

from __future__ import annotations

import os
from pathlib import Path

import torch

from lifelike.bundles.bundle import Bundle, read_bundle
from lifelike.bundles.digests import digest
from lifelike.bundles.file import read_card, weights_file
from lifelike_protocol.errors import ErrorCode, LifelikeError
from lifelike_protocol.locations import config_dir
from lifelike_protocol.messages import BundleSummary

BUILTIN = "builtin"
BUILTIN_FILE = Path(__file__).parent / "builtin.safetensors"


def user_folder() -> Path:
    """Where a person's own bundles lie."""
    return config_dir() / "bundles"


def bundle_paths() -> dict[str, Path]:
    """Every bundle that can be named, the built-in one first."""
    paths = {BUILTIN: BUILTIN_FILE} if BUILTIN_FILE.exists() else {}
    for name, path in _own_paths().items():
        paths.setdefault(name, path)
    return paths


def _own_paths() -> dict[str, Path]:
    """The bundles in the person's folder, broken ones too."""
    folder = user_folder()
    paths: dict[str, Path] = {}
    if folder.is_dir():
        for path in sorted(folder.iterdir()):
            if (path.suffix == ".safetensors" and not path.name.startswith(".")) or (path / "card.json").exists():
                paths.setdefault(path.name if path.is_dir() else path.stem, path)
    return paths


def own_bundle(name: str) -> Path:
    """The place of one of the person's own bundles, which may be broken.

    Raises:
        LifelikeError: UNKNOWN_BUNDLE when there is none of that name; INVALID_SETTING for the built-in one.
    """
    if name == BUILTIN:
        what = "The built-in bundle belongs to the program and is not removed."
        raise LifelikeError(ErrorCode.INVALID_SETTING, what, "Name one of your own.")
    paths = _own_paths()
    if name not in paths:
        known = ", ".join(other for other in paths if other != BUILTIN) or "none"
        what = f"There is no bundle {name!r} among your own in {user_folder()}."
        raise LifelikeError(ErrorCode.UNKNOWN_BUNDLE, what, f"Your own are: {known}.")
    return paths[name]


def remove_bundle(path: Path) -> tuple[str, ...]:
    """Delete a bundle; of a link only the link, of a folder only what a bundle consists of.

    Returns:
        The names of what else a folder has, which stays.

    Raises:
        LifelikeError: INVALID_FILE when it cannot be deleted.
    """
    try:
        if path.is_symlink() or not path.is_dir():
            path.unlink()
            return ()
        for part in (weights_file(path), path / "card.json"):  # the card last: without it nothing finds the rest
            part.unlink(missing_ok=True)
        kept = tuple(sorted(other.name for other in path.iterdir()))
        if not kept:
            path.rmdir()
    except OSError as error:
        what = f"The bundle {path} could not be removed ({error.strerror})."
        raise LifelikeError(
            ErrorCode.INVALID_FILE, what, "Close whatever has it open, and look at its permissions."
        ) from error
    return kept


def names_path(name_or_path: str) -> bool:
    """Whether it is a path and no name: it has a folder in it ("./mine") or ends in .safetensors."""
    return bool(os.path.dirname(name_or_path)) or name_or_path.endswith(".safetensors")  # noqa: PTH120 - Path drops "./"


def find_bundle(name_or_path: str) -> Path:
    """The place of a bundle.

    Raises:
        LifelikeError: UNKNOWN_BUNDLE when there is none of that name and no such path.
    """
    paths = bundle_paths()
    if name_or_path in paths:
        return paths[name_or_path]
    path = Path(name_or_path).expanduser()
    if names_path(name_or_path) and path.exists():
        return path
    known = ", ".join(paths) or "none"
    raise LifelikeError(
        ErrorCode.UNKNOWN_BUNDLE,
        f"There is no bundle {name_or_path!r}.",
        f"Known bundles: {known}. Put your own into {user_folder()}, or give a path.",
    )


def list_bundles() -> list[BundleSummary]:
    """Every bundle that can be named and read; broken ones are left out."""
    summaries = []
    for name, path in bundle_paths().items():
        try:
            card = read_card(path)
            sha256 = digest(path)
        except (LifelikeError, OSError):
            continue
        summaries.append(BundleSummary(name, card.resolution, card.licence, card.description, sha256))
    return summaries


def load_bundle(name_or_path: str = BUILTIN, device: torch.device | str = "cpu") -> Bundle:
    """Load a bundle by name or path onto a device.

    Raises:
        LifelikeError: UNKNOWN_BUNDLE, INVALID_BUNDLE.
    """
    return read_bundle(find_bundle(name_or_path)).to(device)
