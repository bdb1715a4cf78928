# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person sets in the panels: one group of properties per scene, saved with the file."""

from __future__ import annotations

import bpy

from lifelike_protocol.messages import Restoration
from lifelike_protocol.validation import MAX_STEPS

from .backend import THE_BACKEND

SOURCES = (
    ("VIEWPORT", "Viewport", "What the viewport shows, through the scene camera or the current view", "VIEW3D", 0),
    ("RENDER", "Render", "The last render of this scene", "RENDER_RESULT", 1),
    ("IMAGE", "Image", "An image of this file", "IMAGE_DATA", 2),
)
OUTPUTS = (
    ("IMAGE", "Image", "A new image in this file", "IMAGE_DATA", 1),
    ("TEXTURE", "Texture", "A texture in the material of an object, unconnected to its shading", "TEXTURE", 2),
    ("COMPOSITOR", "Compositor", "A node group in the compositor, over the unchanged render", "NODE_COMPOSITING", 4),
)
METHODS = (
    ("bundle", "As the Bundle Says", "The way that the bundle's makers found to look best"),
    ("decode", "Decode", "The photograph that the bundle paints of the face"),
    ("difference", "Difference", "The face as rendered, changed by what separates a photograph from a render"),
)
VIEWPOINTS = (
    ("AUTO", "Automatic", "The scene's camera where the viewport looks through it, else the current view"),
    ("CAMERA", "Scene Camera", "Look through the scene's camera, at the render's size"),
    ("VIEW", "Current View", "Look as the viewport does, at its size"),
)
COLOURS = (
    ("display", "As Shown", "Through the scene's view transform; the result is tagged so that it is not applied twice"),
    ("scene_linear", "Scene Linear", "As rendered, without the view transform; bright lights keep their values"),
)
BUILT_IN = "builtin"
RESTORED = Restoration().iris


def bundle_names(_self: object, _context: object, typed: str) -> list[tuple[str, str]]:
    """The bundles that the backend reported, for the search list of the bundle field."""
    status = THE_BACKEND.status
    known = [(bundle.name, f"{bundle.resolution} px") for bundle in status.bundles] if status else [(BUILT_IN, "")]
    return [entry for entry in known if typed.lower() in entry[0].lower()]


def steps(name: str, description: str, **options: object) -> object:
    """A property of how many steps to take at most."""
    return bpy.props.IntProperty(name=name, description=description, min=0, max=MAX_STEPS, soft_max=200, **options)


def share(name: str, description: str, **options: object) -> object:
    """A property of how much of something comes back from the input; the wire's defaults are all the same."""
    return bpy.props.FloatProperty(
        name=name, description=description, min=0.0, max=1.0, default=RESTORED, subtype="FACTOR", **options
    )


def _is_mesh(_self: object, candidate: bpy.types.Object) -> bool:
    return candidate.type == "MESH"


def is_source(image: bpy.types.Image, settings: bpy.types.PropertyGroup) -> bool:
    """Whether `scene.lifelike` names this image, or the render that it is, as its source."""
    if image.type == "RENDER_RESULT":
        return settings.source == "RENDER"
    return settings.source == "IMAGE" and settings.image == image


class LifelikeSceneSettings(bpy.types.PropertyGroup):
    """`scene.lifelike`: the defaults of `bpy.ops.lifelike.make_realistic`."""

    source: bpy.props.EnumProperty(name="Source", description="The picture to work on", items=SOURCES)
    viewpoint: bpy.props.EnumProperty(name="Through", description="How the viewport is looked at", items=VIEWPOINTS)
    colours: bpy.props.EnumProperty(name="Colors", description="How a render is taken", items=COLOURS)
    image: bpy.props.PointerProperty(name="Image", description="The image to work on", type=bpy.types.Image)
    outputs: bpy.props.EnumProperty(
        name="Outputs",
        description="Where the result goes; several at once with Shift",
        items=OUTPUTS,
        options={"ENUM_FLAG"},
        default={"IMAGE"},
    )
    texture_object: bpy.props.PointerProperty(
        name="Object", description="Whose material receives the texture", type=bpy.types.Object, poll=_is_mesh
    )
    strength: bpy.props.FloatProperty(
        name="Strength",
        description="How far to go from the render to the photograph",
        min=0.0,
        max=1.0,
        default=1.0,
        subtype="FACTOR",
    )
    bundle: bpy.props.StringProperty(
        name="Bundle",
        description="The model that does the work: a name from the list, or a path on the backend's computer",
        default=BUILT_IN,
        search=bundle_names,
        search_options={"SUGGESTION"},
    )
    method: bpy.props.EnumProperty(name="Method", description="How the model is applied", items=METHODS)
    refine: steps(
        "Refine", "Look longer for the face's code, so many steps at most. With the decode method 16 are worth it"
    )
    tune: steps("Tune", "Then adapt the model to this one face: so many steps at most. Slow, and rarely needed")
    restore_iris: share("Irises", "How much of the irises' color comes back from the input")
    restore_skin: share("Skin", "How much of the skin's color in large areas comes back from the input")
    restore_background: share("Background", "How much of what is around the face comes back from the input")
    restore_accessories: share("Accessories", "How much of glasses, jewelry and the like comes back from the input")


CLASSES = (LifelikeSceneSettings,)
