# SPDX-License-Identifier: GPL-3.0-or-later
"""`lifelike bundles remove`: one of the person's own bundles is deleted."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from lifelike_protocol.errors import ErrorCode, LifelikeError


def remove(
    name: Annotated[str, typer.Argument(help="A name from the list; only your own bundles can be removed.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")] = False,
) -> None:
    """Delete one of your own bundles."""
    from lifelike.bundles.registry import own_bundle, remove_bundle

    path = own_bundle(name)
    if not yes:
        _ask(f"Delete the bundle {name} ({path}) for good?")
    kept = remove_bundle(path)
    print(f"Removed {path}" + (f"; {', '.join(kept)} in that folder stayed, being no part of it." if kept else "."))


def _ask(question: str) -> None:
    """Go on only if the answer is yes.

    Raises:
        LifelikeError: REFUSED where nobody can be asked. typer.Abort: for any other answer.
    """
    if not _someone_is_there():
        what = "Nothing was removed, since nobody is there to be asked."
        raise LifelikeError(ErrorCode.REFUSED, what, "Say --yes to remove it without a question.")
    typer.confirm(question, abort=True)


def _someone_is_there() -> bool:
    return sys.stdin.isatty()
