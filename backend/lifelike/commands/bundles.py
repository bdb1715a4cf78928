# SPDX-License-Identifier: GPL-3.0-or-later
"""`lifelike bundles`: which bundles there are and what is in them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from attrs import asdict
from rich.console import Console
from rich.table import Table

from lifelike.commands import bundles_download, bundles_import, bundles_remove
from lifelike_protocol.errors import ErrorCode, LifelikeError
from lifelike_protocol.messages import Method

app = typer.Typer(help="The trained models.", no_args_is_help=True)
app.command("download")(bundles_download.download)
app.command("import")(bundles_import.import_weights)
app.command("remove")(bundles_remove.remove)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


@app.command("list")
def list_all(as_json: AsJson = False) -> None:
    """List the bundles found."""
    from lifelike.bundles import list_bundles

    found = list_bundles()
    if as_json:
        print(json.dumps([asdict(bundle) for bundle in found], indent=2))
        return
    table = Table("name", "pixels", "licence", "SHA-256", "what it is")
    for bundle in found:
        table.add_row(bundle.name, str(bundle.resolution), bundle.licence, bundle.sha256[:12], bundle.description)
    Console().print(table)


@app.command("show")
def show(
    name: Annotated[str, typer.Argument(help="A name from the list, or a path.")], as_json: AsJson = False
) -> None:
    """Load one bundle, which checks it, and show its card."""
    from lifelike.bundles import load_bundle

    bundle = load_bundle(name, "cpu")
    card = asdict(bundle.card)
    if as_json:
        print(json.dumps({**card, "sha256": bundle.sha256}, indent=2, default=str))
        return
    table = Table(show_header=False, box=None)
    for key, value in {**card, "sha256": bundle.sha256}.items():
        table.add_row(key, value if isinstance(value, str) else json.dumps(value, indent=1, default=str))
    Console().print(table)


@app.command("make")
def make(
    name: Annotated[str, typer.Argument(help="What the bundle is to be called.")],
    photo: Annotated[str, typer.Option(help="Photo generator: a run's folder, a file, or a bundle.")],
    render: Annotated[str, typer.Option(help="Render generator, likewise; without one there is one generator.")] = "",
    encoder: Annotated[str, typer.Option(help="Encoder, likewise; without one the bundle can only generate.")] = "",
    identity: Annotated[str, typer.Option(help="Identity network, likewise; without one no similarity is told.")] = "",
    locator: Annotated[str, typer.Option(help="Face locator, likewise.")] = "",
    licence: Annotated[str, typer.Option(help="What others may do with it, e.g. CC-BY-4.0.")] = "unstated",
    description: Annotated[str, typer.Option(help="One sentence for the list.")] = "",
    trained_on: Annotated[str, typer.Option(help="What the networks have seen.")] = "",
    method: Annotated[Method, typer.Option(help="How it is best applied.")] = Method.DIFFERENCE,
    measured: Annotated[Path | None, typer.Option(help="Report of `lifelike evaluate` (JSON), kept in it.")] = None,
    single: Annotated[
        bool, typer.Option("--single", help="Keep every bit (float32), at twice the size; else half precision.")
    ] = False,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="File; else among your bundles.")] = None,
) -> None:
    """Put trained networks together into one bundle."""
    from lifelike.bundles.assembly import assemble_bundle
    from lifelike.bundles.inheritance import ancestors
    from lifelike.bundles.registry import user_folder
    from lifelike.training.networks import load_encoder, load_generator, load_identity, load_locator

    if method is Method.BUNDLE:
        what = "A bundle's own method must be decode or difference."
        raise LifelikeError(ErrorCode.INVALID_SETTING, what, "Leave --method out for difference.")
    behind = ancestors([photo, render, encoder, identity, locator])
    for note in behind.notes:
        Console(stderr=True, soft_wrap=True).print(note, style="yellow", markup=False)
    bundle = assemble_bundle(
        load_generator(photo, "photo"),
        load_generator(render, "render") if render else None,
        load_encoder(encoder) if encoder else None,
        load_identity(identity) if identity else None,
        load_locator(locator) if locator else None,
        name=name,
        description=description,
        **behind.terms(licence),
        trained_on=trained_on,
        method=method,
        measured=_figures(measured) if measured else {},
        precision="single" if single else "half",
    )
    file = output or user_folder() / f"{name}.safetensors"
    file.parent.mkdir(parents=True, exist_ok=True)
    bundle.save(file)
    print(f"{file}: {file.stat().st_size / 1e6:.1f} MB")


def _figures(report: Path) -> dict[str, Any]:
    """What of a report of `lifelike evaluate` belongs on the card."""
    from lifelike.evaluation.report_file import card_figures, read_report

    return card_figures(read_report(report))
