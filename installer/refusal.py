# SPDX-License-Identifier: GPL-3.0-or-later
"""The one way the installer says that it cannot go on."""

from __future__ import annotations

import errno


class Refusal(Exception):
    """One sentence for the person: what is wrong, and what to do about it."""


def of_system_error(error: OSError) -> Refusal:
    """The sentence for an error of the operating system."""
    where = f" ({error.filename})" if error.filename else ""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return Refusal(f"The disk is full{where}: free some space and run the same command again.")
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return Refusal(f"This user may not write there{where}: use a folder of your own.")
    return Refusal(f"{error.strerror or error}{where}.")
