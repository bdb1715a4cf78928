# SPDX-License-Identifier: GPL-3.0-or-later
"""`lifelike generate`: pictures straight from latents, to see what a bundle can do."""

from __future__ import annotations

import json
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress

from lifelike.generation.space import Space
from lifelike_protocol.errors import ErrorCode, LifelikeError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

    from lifelike.bundles import Bundle
    from lifelike.generation.latents import Latents

Option = typer.Option


class Look(str, Enum):
    """Which generator of a pair."""

    PHOTO = "photo"
    RENDER = "render"


def generate(
    output: Annotated[Path, Option("--output", "-o", help="A folder.")],
    bundle: Annotated[str, Option(help="A name from `lifelike bundles list`, or a path.")] = "builtin",
    seeds: Annotated[str, Option(help="Such as 7, 0-35 or 1,4,10-12.")] = "",
    latents: Annotated[
        Path | None, Option(help="NumPy file: z (N × z), w (N × w) or W+ (N × layers × w), told by its shape.")
    ] = None,
    space: Annotated[Space | None, Option(help="What N × D latents are where z and w are of one size. [z]")] = None,
    truncation: Annotated[float, Option(min=-1, max=2, help="ψ: below 1, nearer to the mean face.")] = 1.0,
    look: Annotated[Look, Option(help="Which generator of a pair.")] = Look.PHOTO,
    raw: Annotated[
        bool, Option("--raw", help="One float32 array, N × 3 × H × W, as the network gives it, instead of PNG files.")
    ] = False,
    force: Annotated[bool, Option("--force", help="Write over files that exist.")] = False,
    device: Annotated[str, Option(help="auto, cpu or cuda.")] = "auto",
    threads: Annotated[int | None, Option(min=1, help="CPU threads.")] = None,
) -> None:
    """Make pictures of latents, with constant noise and in single precision."""
    from lifelike.bundles import find_bundle, read_card
    from lifelike.bundles.bundle import read_generators
    from lifelike.devices import choose_device, set_threads
    from lifelike.execution.acceleration import Acceleration
    from lifelike.execution.precision import Precision
    from lifelike.generation.generate import generate_pictures
    from lifelike.generation.latents import drawn_latents, read_latents
    from lifelike.generation.output import PROVENANCE_FILE, RAW_FILE, check_folder, check_room, write_provenance

    if bool(seeds) == (latents is not None):
        what = "Either --seeds or --latents must be given" + (", not both." if seeds else ".")
        raise LifelikeError(ErrorCode.INVALID_SETTING, what, "Write --seeds 0-7, or --latents FILE.npy.")
    set_threads(threads)
    device = choose_device(device)
    path = find_bundle(bundle)
    card = read_card(path)
    if look is Look.RENDER and not card.pair:
        what = f"The bundle {card.name} has no render generator."
        raise LifelikeError(ErrorCode.INVALID_BUNDLE, what, "Leave --look out for its photo generator.")
    chosen = drawn_latents(seeds, card.generator) if latents is None else read_latents(latents, card.generator, space)
    files = [RAW_FILE] if raw else [f"{name}.png" for name in chosen.names]
    check_folder(output, [*files, PROVENANCE_FILE], force)
    if raw:
        check_room(output, _shape(chosen, card.resolution))
    found = read_generators(path)
    if look is Look.RENDER and found.render is not None:
        found.photo = found.render
    found.render = None  # one alone takes memory and is made fast
    _tell(Console(stderr=True, soft_wrap=True), found, chosen, space is None)
    acceleration = Acceleration(found.to(device), Precision.FP32)
    pictures = generate_pictures(found.photo, chosen, truncation, acceleration.refresh)
    made_by = _provenance(found, chosen, {"truncation": truncation, "look": look.value, "device": device})
    _write(pictures, _shape(chosen, card.resolution), output, files, raw, force, made_by)
    write_provenance(output, {**made_by, "files": files})
    if card.non_commercial:
        print(f"For non-commercial use alone: {card.licence}")


def _shape(latents: Latents, side: int) -> tuple[int, int, int, int]:
    return (len(latents), 3, side, side)


def _tell(console: Console, bundle: Bundle, latents: Latents, unsaid: bool) -> None:
    """What a person might take for a fault."""
    sizes = bundle.card.generator
    if bundle.card.draws_no_faces:
        console.print(
            f"Note: portraits of the bundle {bundle.card.name} need feature codes too, which latents alone lack; these "
            "pictures show little of what it does to a render.",
            markup=False,
        )
    if unsaid and latents.space is Space.Z and "latents" in latents.origin and sizes.z_dim == sizes.w_dim:
        console.print("Note: z and w are of one size here; the latents are taken for z. Else say --space w.")


def _write(
    pictures: Iterator[Tensor],
    shape: tuple[int, int, int, int],
    folder: Path,
    files: list[str],
    raw: bool,
    force: bool,
    made_by: dict[str, Any],
) -> None:
    from lifelike.generation.output import write_pictures, write_raw

    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("generating", total=shape[0])
        if raw:
            for done in write_raw(folder / files[0], shape, pictures):
                progress.update(task, completed=done)
        else:
            for _ in write_pictures(folder, files, pictures, force, json.dumps(made_by)):
                progress.advance(task)
    print(f"{folder}: {shape[0]} pictures of {shape[-1]} pixels" + (", raw" if raw else ""))


def _provenance(bundle: Bundle, latents: Latents, how: dict[str, Any]) -> dict[str, Any]:
    from lifelike.worker import versions

    card = bundle.card
    return {
        "bundle": card.name,
        "bundle_sha256": bundle.sha256,
        "licence": card.licence,
        "non_commercial": card.non_commercial,
        "citation": card.citation,
        **latents.origin,
        "space": latents.space.value,
        **how,
        "noise": "const",
        "versions": dict(versions()),
    }
