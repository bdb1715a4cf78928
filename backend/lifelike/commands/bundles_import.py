# SPDX-License-Identifier: GPL-3.0-or-later
"""`lifelike bundles import`: a bundle from weights that others published."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from lifelike_protocol.errors import ErrorCode, LifelikeError

if TYPE_CHECKING:
    from lifelike.importing.bundle_making import Imported

Option = typer.Option


def import_weights(
    photo: Annotated[Path, Option(help="Photo generator: a file of NVIDIA's, rosinality's or e4e's.")],
    name: Annotated[str, Option(help="What the bundle is to be called.")],
    render: Annotated[Path | None, Option(help="Render generator, trained from the photo generator.")] = None,
    encoder: Annotated[Path | None, Option(help="Encoder made for the generator; else the photo file's own.")] = None,
    identity: Annotated[Path | None, Option(help="Face recogniser, such as ArcFace's.")] = None,
    locator: Annotated[bool, Option(help="Take in the built-in face locator.")] = True,
    licence: Annotated[str, Option(help="What others may do with it, besides what is known of the files.")] = "",
    non_commercial: Annotated[bool, Option("--non-commercial", help="For non-commercial use alone.")] = False,
    citation: Annotated[list[str] | None, Option(help="A work to be cited, as often as needed.")] = None,
    description: Annotated[str, Option(help="One sentence for the list.")] = "",
    discriminator: Annotated[
        Path | None, Option(help="Also write the photo generator's discriminator here, for `lifelike train render`.")
    ] = None,
    output: Annotated[Path | None, Option("-o", "--output", help="File; else among your bundles.")] = None,
    replace: Annotated[bool, Option("--replace", help="Write over a bundle of that name.")] = False,
    as_json: Annotated[bool, Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Make a bundle of published weights. What a file is, is told by its contents; nothing in it is executed."""
    from lifelike.bundles.public.space import check_space
    from lifelike.bundles.registry import user_folder
    from lifelike.importing.bundle_making import Files, import_bundle
    from lifelike.importing.found import Terms
    from lifelike.networks.weights import save_weights

    file = output or user_folder() / f"{checked_name(name)}.safetensors"
    _check_free(file, replace)
    if discriminator is not None:
        _check_free(discriminator, replace)
    stated = Terms(licence, non_commercial, tuple(citation or ()))
    imported = import_bundle(Files(photo, render, encoder, identity), name, description, stated, locator)
    if discriminator is not None and imported.discriminator is None:
        what = f"The file {photo.name} has no discriminator to write to {discriminator}."
        raise LifelikeError(
            ErrorCode.INVALID_FILE, what, "Leave --discriminator out: training then starts a fresh one."
        )
    check_space(file.parent, sum(tensor.numel() * 4 for tensor in imported.bundle.tensors().values()))
    try:
        imported.bundle.save(file)
        if discriminator is not None and imported.discriminator is not None:
            save_weights(discriminator, imported.discriminator, "discriminator", {})
    except OSError as error:
        what = f"The bundle could not be written to {file.parent} ({error.strerror or error})."
        raise LifelikeError(ErrorCode.INVALID_FILE, what, "Make room there, or choose another file with -o.") from error
    _report(imported, file, as_json)


def checked_name(name: str) -> str:
    """A name a bundle can have among one's own.

    Raises:
        LifelikeError: INVALID_SETTING for one that is no file name, or the built-in bundle's.
    """
    from lifelike.bundles.registry import BUILTIN

    if not name or name != name.strip() or name.startswith(".") or any(c in '/\\:*?"<>|' or ord(c) < 32 for c in name):
        what = f"{name!r} is no name for a bundle, since its file is called so."
        raise LifelikeError(ErrorCode.INVALID_SETTING, what, "Use letters, digits, spaces, - and _.")
    if name == BUILTIN:
        raise LifelikeError(ErrorCode.INVALID_SETTING, f"{name} is the built-in bundle.", "Choose another name.")
    return name


def _check_free(file: Path, replace: bool) -> None:
    if file.exists() and not replace:
        raise LifelikeError(ErrorCode.INVALID_FILE, f"{file} exists.", "Choose another name, or say --replace.")


def _report(imported: Imported, file: Path, as_json: bool) -> None:
    """What came in, what it makes, and what is still missing."""
    from lifelike.importing.bundle_making import missing

    card = imported.bundle.card
    lacks, rows = missing(card), _rows(imported)
    if as_json:
        sources = [dict(source) for source in card.sources]
        values = {"file": str(file), "networks": rows, "sources": sources, "notes": imported.notes, "missing": lacks}
        print(json.dumps({**values, "licence": card.licence, "non_commercial": card.non_commercial}, indent=2))
        return
    console = Console(soft_wrap=True, highlight=False)
    for path, found in imported.sources.items():
        console.print(f"{escape(path.name)}: {found.format}, with {', '.join(found.names)}")
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    for title, text in rows.items():
        table.add_row(title, escape(text))
    console.print(table)
    for note in [*imported.notes, *lacks]:
        console.print(escape(note))
    console.print(f"{escape(str(file))}: {file.stat().st_size / 1e6:.1f} MB")


def _rows(imported: Imported) -> dict[str, Any]:
    card, bundle = imported.bundle.card, imported.bundle
    sizes = card.generator
    widths = ", ".join(f"{sizes.channels(side)} at {side}" for side in sizes.resolutions)
    rows = {
        "resolution": f"{sizes.resolution} pixels",
        "widths": widths,
        "latents": f"z of {sizes.z_dim}, {sizes.num_ws} × w of {sizes.w_dim}, {sizes.mapping_layers} mapping layers",
        "generators": "photo and render" if card.pair else "photo alone",
    }
    if card.encoder is not None:
        rows["encoder"] = f"reads {card.encoder.resolution} pixels"
    if bundle.identity is not None:
        rows["identity"] = str(bundle.identity.settings.get("architecture", "residual"))
    rows["licence"] = card.licence + (" (non-commercial use alone)" if card.non_commercial else "")
    if card.citation:
        rows["to be cited"] = card.citation
    return rows
