# SPDX-License-Identifier: GPL-3.0-or-later
"""Where bundles are found: the built-in one, the user's folder, or any path."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import torch

from lifelike.bundles.bundle import Bundle, read_bundle
from lifelike.bundles.file import bundle_sha256, read_card, weights_file
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
    folder = user_folder()
    if folder.is_dir():
        for path in sorted(folder.iterdir()):
            if path.suffix == ".safetensors" or (path / "card.json").exists():
                paths.setdefault(path.stem if path.is_file() else path.name, path)
    return paths


def find_bundle(name_or_path: str) -> Path:
    """The place of a bundle.

    Raises:
        LifelikeError: UNKNOWN_BUNDLE when there is none of that name and no such path.
    """
    paths = bundle_paths()
    if name_or_path in paths:
        return paths[name_or_path]
    path = Path(name_or_path).expanduser()
    if len(path.parts) > 1 and path.exists():
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
            digest = _digest(path)
        except (LifelikeError, OSError):
            continue
        summaries.append(BundleSummary(name, card.resolution, card.licence, card.description, digest))
    return summaries


def _digest(path: Path) -> str:
    """The hash of a bundle's weights; read again only when the file has changed, since a list is asked for often."""
    state = weights_file(path).stat()
    return _digest_of_state(path, state.st_size, state.st_mtime_ns)


@lru_cache(maxsize=64)
def _digest_of_state(path: Path, size: int, modified_ns: int) -> str:
    return bundle_sha256(path)


def load_bundle(name_or_path: str = BUILTIN, device: torch.device | str = "cpu") -> Bundle:
    """Load a bundle by name or path onto a device.

    Raises:
        LifelikeError: UNKNOWN_BUNDLE, INVALID_BUNDLE.
    """
    return read_bundle(find_bundle(name_or_path)).to(device)
