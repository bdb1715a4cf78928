# SPDX-License-Identifier: GPL-3.0-or-later
"""The main job once, from an empty folder to the finished pictures."""

from __future__ import annotations

import json
from pathlib import Path

from . import blender as blenders
from . import extension, pythons
from .backend import ensure_backend
from .places import Places
from .progress import note, step
from .refusal import Refusal
from .running import Failed, run
from .torch_build import TorchChoice

SCRIPT = Path(__file__).resolve().parent / "demo_in_blender.py"
MADE = ("before.png", "after.png", "side_by_side.png", "demo.blend", "report.json")
SAID = "LIFELIKE "
"""How lines begin that the script in Blender means for the person."""


def demo(places: Places, choice: TorchChoice, program: Path | None, output: Path) -> None:
    """Sets up what is missing, then renders, converts and saves; prints where everything is.

    Raises:
        Refusal: something is missing, or a step failed.
    """
    output.mkdir(parents=True, exist_ok=True)
    blender = blenders.find(program)
    backend = ensure_backend(places, choice)
    if blender:
        note(f"Blender {blender.version_text}: {blender.program}")
        command: list[str | Path] = [blender.program, "--background", "--factory-startup", "--python-exit-code", "3"]
        command += ["--python", SCRIPT, "--"]
    else:
        command = [pythons.ensure_bpy_for_demo(places), SCRIPT, "--"]
    built = extension.build(places, places.distribution, backend)
    with step("Render, convert, save") as shown:
        for name in MADE:
            (output / name).unlink(missing_ok=True)

        def on_line(line: str) -> None:
            if line.startswith(SAID):
                shown.line(f"  {line.removeprefix(SAID)}")

        log = places.logs / "demo.log"
        try:
            run([*command, places.root, built, output], "The demo", log, on_line, _isolated(places, backend))
        except Failed as error:
            said = [line for line in error.output.splitlines() if line.startswith(f"{SAID}Error: ")]
            if said:
                raise Refusal(f"The demo failed: {said[-1].partition('Error: ')[2]} (log: {log})") from error
            raise
    _tell(output)


def _isolated(places: Places, backend: Path) -> dict[str, str]:
    """Variables that keep the demo out of the person's own Blender and Lifelike settings."""
    home = places.cache / "demo"
    resources = home / "blender"
    resources.mkdir(parents=True, exist_ok=True)
    return {
        "BLENDER_USER_RESOURCES": str(resources),
        "LIFELIKE_HOME": str(home / "lifelike"),
        "LIFELIKE_BACKEND_PYTHON": str(backend),
        "LIFELIKE_CONNECTION_FILE": "",
    }


def _tell(output: Path) -> None:
    missing = [name for name in MADE if not (output / name).is_file()]
    if missing:
        raise Refusal(f"The demo ended without {', '.join(missing)}.")
    report = json.loads((output / "report.json").read_text(encoding="utf-8"))
    faces = report["faces"]
    for face in faces:
        similarity = face["identity_similarity"]
        told = "not measured" if similarity is None else f"{similarity:.2f}"
        note(f"Face “{face['name']}”: identity similarity {told}")
    note("The pictures, the scene and the report:")
    for name in MADE:
        note(f"  {output / name}")
