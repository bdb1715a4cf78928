# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs in Blender: the operator on render and viewport with all outputs, and the same through Python.

Arguments: the folder for pictures. Each is written by Blender itself, through the scene's view transform, so that it
is what a person sees.
"""

import sys
from pathlib import Path

import addon
import bpy
import drawn_face

PICTURES = Path(sys.argv[-1])
EVERYTHING = {"IMAGE", "TEXTURE", "COMPOSITOR"}


def seen(image: bpy.types.Image, name: str, scene: str = "Scene") -> None:
    image.save_render(str(PICTURES / f"{name}.png"), scene=bpy.data.scenes[scene])


def rendered(name: str, scene: str = "Scene") -> None:
    bpy.ops.render.render(scene=scene)
    seen(bpy.data.images["Render Result"], name, scene)


def a_board() -> bpy.types.Object:
    """A square without a material in a scene of its own, filling its camera."""
    scene = bpy.context.scene.copy()
    scene.name = "Board"
    for item in list(scene.collection.objects):
        scene.collection.objects.unlink(item)
    mesh = bpy.data.meshes.new("Board")
    mesh.from_pydata([(-1, 0, -1), (1, 0, -1), (1, 0, 1), (-1, 0, 1)], [], [(0, 1, 2, 3)])
    for loop, corner in zip(mesh.uv_layers.new().data, ((0, 0), (1, 0), (1, 1), (0, 1)), strict=True):
        loop.uv = corner
    board = bpy.data.objects.new("Board", mesh)
    scene.collection.objects.link(board)
    scene.collection.objects.link(bpy.data.objects["Camera"])
    return board


def settings() -> list[object]:
    """What a person set and must find again."""
    scene = bpy.context.scene
    render, view, files = scene.render, scene.view_settings, scene.render.image_settings
    return [
        *(render.engine, render.resolution_x, render.resolution_percentage, render.filepath, render.film_transparent),
        *(view.view_transform, view.look, view.exposure, view.gamma),
        *(files.file_format, files.color_mode, files.color_depth, files.compression),
        *(scene.frame_current, scene.camera.name, sorted(item.name for item in bpy.data.objects)),
    ]


addon.enable()
drawn_face.build()
from bl_ext.user_default.lifelike import api  # noqa: E402

before = settings()
rendered("render_before")
a_board()
bpy.ops.lifelike.make_realistic(source="RENDER", outputs=EVERYTHING, texture_object="Board")
image = bpy.data.images["Lifelike Scene"]
seen(image, "render_image")
addon.tell(space=image.colorspace_settings.name, view=bpy.context.scene.view_settings.view_transform)

outcome = api.enhance(bpy.context, source="RENDER", outputs={"IMAGE"})
seen(outcome.image, "render_api")
addon.tell(
    same_image=outcome.image == image,
    faces=[[face.name, face.identity_similarity] for face in outcome.faces],
    box=list(outcome.result.faces[0].box),
    timings=outcome.timings,
)
outcome = api.enhance(bpy.context, source="RENDER", outputs={"IMAGE"}, colours="scene_linear")
seen(outcome.image, "render_linear")
api.enhance(bpy.context, source="RENDER", outputs={"IMAGE"}, strength=0.0)
seen(image, "render_strength_0")

bpy.ops.lifelike.make_realistic(source="RENDER", outputs={"IMAGE"})
rendered("render_texture", scene="Board")
rendered("render_compositor")

bpy.context.scene.name = "Seen"
frame = api.capture(bpy.context, api.Request.from_scene(bpy.context.scene, source="VIEWPORT"))
bpy.ops.lifelike.make_realistic(source="VIEWPORT")
viewport_image = bpy.data.images["Lifelike Seen Viewport"]
addon.tell(
    viewport_size=list(viewport_image.size),
    viewport_input=frame.pixels[::16, ::16].tolist(),
    viewport_result=api.capture_image(viewport_image, bpy.context).pixels[::16, ::16].tolist(),
    changed=[f"{one} → {other}" for one, other in zip(before, settings(), strict=True) if one != other],
)
