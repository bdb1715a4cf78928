# SPDX-License-Identifier: GPL-3.0-or-later
"""The terms a result was made under, in words for a person."""

from __future__ import annotations

from .messages import Provenance


def terms_line(made_by: Provenance) -> str:
    """One line, "" for a result that may be used for anything."""
    return f"Non-commercial: {made_by.licence or 'licence unstated'}" if made_by.non_commercial else ""


def terms_text(made_by: Provenance) -> str:
    """That line, and under it whom to cite; "" when there is neither."""
    cited = f"Please cite:\n{made_by.citation}" if made_by.citation else ""
    return "\n".join(part for part in (terms_line(made_by), cited) if part)
