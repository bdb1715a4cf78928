# SPDX-License-Identifier: GPL-3.0-or-later
"""`lifelike bundles download`: published weights, fetched once their terms are accepted."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Option = typer.Option


def download(
    name: Annotated[str, typer.Argument(help="What to fetch; without it, a list of what there is.")] = "",
    accept_license: Annotated[
        bool, Option("--accept-license", help="Accept the terms without being asked; they are shown all the same.")
    ] = False,
    folder: Annotated[
        Path | None, Option(help="Where the files are kept, or lie already. Default: this user's cache.")
    ] = None,
    bundle: Annotated[str, Option("--name", help="What the bundle is to be called. Default: as the set.")] = "",
    as_json: Annotated[bool, Option("--json", help="The list as JSON for programs.")] = False,
) -> None:
    """Fetch published weights: one file, or a set that becomes a bundle."""
    # Here and not above: these import torch, which no other command should wait for.
    from lifelike.bundles.public.catalogue import find_published
    from lifelike.bundles.public.entry import PublicSet
    from lifelike.commands.bundles_fetching import fetch_file, fetch_set
    from lifelike.commands.bundles_published import print_list, print_list_as_json
    from lifelike_protocol.locations import cache_dir

    place = folder or cache_dir() / "downloads"
    if not name:
        print_list_as_json() if as_json else print_list(place)
        return
    wanted = find_published(name)
    if isinstance(wanted, PublicSet):
        fetch_set(wanted, place, bundle or wanted.name, accept_license)
    else:
        fetch_file(wanted, place, accept_license)
