# SPDX-License-Identifier: GPL-3.0-or-later
"""The packages of the extra "train", which only some commands need."""

from __future__ import annotations

import importlib
from collections.abc import Iterable

from lifelike_protocol.errors import ErrorCode, LifelikeError


def check_installed(packages: Iterable[str], purpose: str) -> None:
    """Refuses to begin what would end with a missing package.

    Args:
        packages: as they are imported.
        purpose: what they are for, after "The packages for".

    Raises:
        LifelikeError: INVALID_SETTING, naming the first one missing.
    """
    for package in packages:
        try:
            importlib.import_module(package)
        except ModuleNotFoundError as error:
            raise missing_package(error, purpose) from error


def missing_package(error: ModuleNotFoundError, purpose: str) -> LifelikeError:
    """INVALID_SETTING, saying what to install; `purpose` as in `check_installed`."""
    what = f"The packages for {purpose} are not installed ({error.name} is missing)."
    return LifelikeError(ErrorCode.INVALID_SETTING, what, "Run: pip install 'lifelike[train]'")
