# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs in Blender (or in a Python with `bpy`): what a person would do, by the operators behind the buttons.

Arguments after `--`: the checkout, the extension's zip, the folder for the results.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bpy
import numpy

ADDON = "bl_ext.user_default.lifelike"
SIZE = 512
SAMPLES = 32
TIMINGS: dict[str, float] = {}


def main() -> None:
    """Everything, in order."""
    root, extension, output = map(Path, sys.argv[sys.argv.index("--") + 1 :])
    figure = timed("scene", "Building the example scene", lambda: example_scene(root))
    timed("extension", "Installing the extension", lambda: install(extension))
    timed("render", f"Rendering it with Cycles, {SIZE} × {SIZE}", bpy.ops.render.render)
    scene = bpy.context.scene
    save(bpy.data.images["Render Result"], output / "before.png")
    board = result_board(figure)
    timed("make_realistic", "Make Realistic (starts the backend first)", lambda: make_realistic(board))
    outcome = last_outcome()
    save(outcome.image, output / "after.png")
    side_by_side(output / "before.png", output / "after.png", output / "side_by_side.png")
    timed("save", "Saving the scene", lambda: save_scene(scene, output / "demo.blend"))
    write_report(outcome, output / "report.json")


def timed(name: str, title: str, work: Callable[[], Any]) -> Any:
    """Does a step of the demo and tells how long it took."""
    started = time.perf_counter()
    done = work()
    TIMINGS[name] = round(time.perf_counter() - started, 3)
    say(f"{title}: {TIMINGS[name]:.1f} s")
    return done


def say(text: str) -> None:
    """A line that install.py shows to the person."""
    print(f"LIFELIKE {text}", flush=True)


def example_scene(root: Path) -> Any:
    """The portrait of examples/avatar.py."""
    sys.path.insert(0, str(root / "examples"))
    import avatar

    return avatar.build_scene(size=SIZE, samples=SAMPLES)


def install(extension: Path) -> None:
    """Through Blender's own installer, into the user folder that BLENDER_USER_RESOURCES names."""
    if ADDON in bpy.context.preferences.addons:
        bpy.ops.preferences.addon_disable(module=ADDON)
    # Blender takes a wheel of the same name for the same wheel, so the ones of an earlier demo go first.
    shutil.rmtree(Path(bpy.utils.user_resource("EXTENSIONS")), ignore_errors=True)
    bpy.ops.extensions.package_install_files(
        filepath=str(extension), repo="user_default", enable_on_install=True, overwrite=True
    )
    if ADDON not in bpy.context.preferences.addons:
        raise RuntimeError("Error: Blender did not enable the extension.")


def result_board(figure: Any) -> bpy.types.Object:
    """A board beside the bust that will carry the result; only the viewport shows it, renders stay as they were."""
    mesh = bpy.data.meshes.new("Photograph")
    mesh.from_pydata([(-1, 0, -1), (1, 0, -1), (1, 0, 1), (-1, 0, 1)], [], [(0, 1, 2, 3)])
    layer = mesh.uv_layers.new()
    for corner, place in zip(layer.data, ((0, 0), (1, 0), (1, 1), (0, 1)), strict=True):
        corner.uv = place
    board = bpy.data.objects.new("Photograph", mesh)
    width = max(figure.head.dimensions)
    board.scale = (width * 0.8,) * 3
    board.location = figure.head.matrix_world.translation
    board.location.x += width * 2.0
    board.hide_render = True
    bpy.context.scene.collection.objects.link(board)
    return board


def make_realistic(board: bpy.types.Object) -> None:
    """Set the panel's fields, press the button."""
    settings = bpy.context.scene.lifelike
    settings.source = "RENDER"
    settings.outputs = {"IMAGE", "TEXTURE", "COMPOSITOR"}
    settings.texture_object = board
    if bpy.ops.lifelike.make_realistic() != {"FINISHED"}:
        raise RuntimeError("Error: Make Realistic was cancelled.")


def last_outcome() -> Any:
    """What the add-on remembers of it."""
    from bl_ext.user_default.lifelike.outcome import LAST_RUN

    return LAST_RUN.outcome


def save(image: bpy.types.Image, target: Path) -> None:
    """As 8-bit PNG through the scene's view, as a person sees it."""
    settings = bpy.context.scene.render.image_settings
    settings.file_format, settings.color_mode, settings.color_depth = "PNG", "RGB", "8"
    partial = target.with_name(f"partial-{target.name}")
    image.save_render(str(partial), scene=bpy.context.scene)
    partial.replace(target)


def side_by_side(left: Path, right: Path, target: Path) -> None:
    """Both pictures next to each other, value for value."""
    pictures = []
    for path in (left, right):
        image = bpy.data.images.load(str(path))
        width, height = image.size
        values = numpy.empty(width * height * 4, numpy.float32)
        image.pixels.foreach_get(values)
        pictures.append(values.reshape(height, width, 4))
        bpy.data.images.remove(image)
    both = numpy.concatenate(pictures, axis=1)
    image = bpy.data.images.new("Side by side", both.shape[1], both.shape[0])
    image.pixels.foreach_set(both.ravel())
    image.file_format = "PNG"
    image.filepath_raw = str(target)
    image.save()
    bpy.data.images.remove(image)


def save_scene(scene: bpy.types.Scene, target: Path) -> None:
    """Compressed, and moved into place whole."""
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        partial = Path(folder) / target.name
        bpy.ops.wm.save_as_mainfile(filepath=str(partial), compress=True, copy=True, relative_remap=False)
        partial.replace(target)


def write_report(outcome: Any, target: Path) -> None:
    """Faces, timings in seconds, and what made the result."""
    from attrs import asdict

    report = {
        "blender": bpy.app.version_string,
        "faces": [
            {
                "name": face.name,
                "landmark_source": face.landmark_source,
                "identity_similarity": face.identity_similarity,
                "landmark_drift": face.landmark_drift,
                "warnings": list(face.warnings),
            }
            for face in outcome.faces
        ],
        "timings": {"demo": TIMINGS, "pipeline": outcome.timings},
        "provenance": asdict(outcome.provenance),
    }
    partial = target.with_name(f"partial-{target.name}")
    partial.write_text(json.dumps(report, indent=2, default=_plain) + "\n", encoding="utf-8")
    partial.replace(target)


def _plain(value: Any) -> Any:
    """JSON for what it does not know: enumerations by their value."""
    return getattr(value, "value", str(value))


if __name__ == "__main__":
    try:
        main()
    except RuntimeError as error:  # how operators report
        first = str(error).partition("Error: ")[2].strip() or str(error)
        say(f"Error: {first.splitlines()[0]}")
        sys.exit(1)
