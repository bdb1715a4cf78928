# SPDX-License-Identifier: GPL-3.0-or-later
"""Measures what `capture_image` returns for images of every kind."""

from __future__ import annotations

from pathlib import Path

import addon_parts
import bpy
import numpy as np
import scenes
from lifelike_addon.capture import capture_image
from lifelike_addon.portable_network_graphics import png

REPORT: dict[str, object] = {}


def told(image: bpy.types.Image, expected: np.ndarray) -> dict[str, object]:
    """Shape, type and encoding of the frame, and its largest difference from what the image holds."""
    frame = capture_image(image, bpy.context)
    same_shape = frame.pixels.shape == expected.shape
    scale = 255.0 if expected.dtype == np.uint8 else 1.0
    difference = np.abs(frame.pixels.astype(np.float64) - expected) / scale * 255 if same_shape else None
    return {
        "shape": frame.pixels.shape,
        "dtype": str(frame.pixels.dtype),
        "kind": frame.encoding.kind,
        "view": frame.encoding.view_transform,
        "off": None if difference is None else float(difference.max()),
    }


def loaded(data: bytes, name: str, space: str) -> bpy.types.Image:
    path = Path.cwd() / name
    path.write_bytes(data)
    image = bpy.data.images.load(str(path))
    image.colorspace_settings.name = space
    return image


scene = scenes.empty_scene()
scene.view_settings.view_transform = "AgX"
random = np.random.default_rng(5)
eight = random.integers(0, 256, (20, 30, 3), dtype=np.uint8)
sixteen = random.integers(4000, 60000, (20, 30, 3), dtype=np.uint16)
see_through = random.integers(0, 256, (20, 30, 4), dtype=np.uint8)
grey = random.integers(0, 256, (20, 30, 1), dtype=np.uint8)
linear = random.uniform(0, 4, (20, 30, 3)).astype(np.float32)

REPORT["8 bits"] = told(loaded(png(eight), "eight.png", "sRGB"), eight)
packed = loaded(png(eight), "packed.png", "sRGB")
packed.pack()
Path("packed.png").unlink()
REPORT["packed"] = told(packed, eight)
REPORT["8 bits, AgX"] = told(loaded(png(eight), "agx.png", "AgX Base sRGB"), eight)
REPORT["8 bits, alpha"] = told(loaded(png(see_through), "alpha.png", "sRGB"), see_through)
REPORT["grey"] = told(loaded(png(grey), "grey.png", "sRGB"), np.repeat(grey, 3, axis=2))
REPORT["16 bits"] = told(loaded(png(sixteen), "sixteen.png", "sRGB"), sixteen / np.float32(65535))
REPORT["16 bits, Filmic"] = told(loaded(png(sixteen), "filmic.png", "Filmic sRGB"), sixteen / np.float32(65535))

generated = bpy.data.images.new("generated", 30, 20, float_buffer=True)
with_alpha = np.concatenate([linear, np.ones((20, 30, 1), np.float32)], axis=2)
generated.pixels.foreach_set(np.ascontiguousarray(with_alpha[::-1]).ravel())
generated.update()
REPORT["float"] = told(generated, linear)

for number in (1, 2, 3):
    (Path.cwd() / f"film{number:03d}.png").write_bytes(png(np.full((20, 30, 3), 40 * number, np.uint8)))
film = bpy.data.images.load(str(Path.cwd() / "film001.png"))
film.source = "SEQUENCE"
scene.frame_set(3)
REPORT["sequence"] = told(film, np.full((20, 30, 3), 120, np.uint8))
scene.frame_set(9)
REPORT["sequence past its end"] = told(film, np.full((20, 30, 3), 40, np.uint8))
REPORT["images left"] = sorted(image.name for image in bpy.data.images if "film0" in image.name)

missing = bpy.data.images.new("gone", 4, 4)
missing.source = "FILE"
missing.filepath = str(Path.cwd() / "nowhere.png")
REPORT["missing"] = scenes.error_of(capture_image, missing, bpy.context)

scenes.full_frame_chart(scene, scenes.chart())
bpy.ops.render.render()
render = next(image for image in bpy.data.images if image.type == "RENDER_RESULT")
frame = capture_image(render, bpy.context)
REPORT["render result"] = [list(frame.pixels.shape), frame.encoding.view_transform]
addon_parts.write_report(REPORT)
