# SPDX-License-Identifier: GPL-3.0-or-later
"""One shot: a situation drawn from (seed, number), set up, rendered once in each look, and everything put back."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import bpy
import numpy as np

from lifelike_protocol.errors import ErrorCode, LifelikeError
from lifelike_protocol.shots import ShotSettings

from ..face.projection import camera_view
from ..face.visibility import is_visible
from .borrowed import Borrowed
from .camera import CameraPlace, add_camera, angles, draw_place
from .crop import FaceFrame, aim, face_frame, off_by, project
from .expression import draw_expression
from .hook import Hook, Shot
from .light import draw_light
from .pose import draw_frame, draw_turn
from .render import render_looks, set_render
from .sought import camera_before_scene, sought_landmarks
from .subject import Rejected, as_rendered, choose_head, landmarks_in_world, landmarks_of_head

Locate = Callable[[Path], "np.ndarray | None"]
"""Finds the face of a picture file: (68, 2) pixels, or None."""

EXACT = 0.05
"""Pixels by which a hook's camera may miss the crop without being corrected."""


@dataclass(frozen=True)
class Studio:
    """What the shots of one scene have in common.

    panoramas: to light with. texts: see `Shot`. locate: finds faces where the scene knows none.
    """

    scene: bpy.types.Scene
    settings: ShotSettings
    hook: Hook = field(default_factory=Hook)
    looks: Sequence[str] = ("render",)
    panoramas: Sequence[Path] = ()
    options: Mapping[str, str] = field(default_factory=dict)
    texts: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    locate: Locate | None = None


def shoot(studio: Studio, number: int, folder: Path) -> dict[str, Any]:
    """Takes shot `number`.

    Args:
        folder: where the pictures go, `NUMBER_LOOK.png`; exists.

    Returns:
        pictures: {look: file name}; landmarks: 68 × 2 pixels of the portrait; identity: the hook's, or ""; head: the
        object's name, or ""; attributes. Or, where every draw was useless, rejected: why the last one was.

    Raises:
        LifelikeError: the hook fails, or Blender cannot render the scene.
    """
    reason = ""
    for attempt in range(studio.settings.attempts):
        with Borrowed() as lent:
            try:
                return _attempt(studio, number, attempt, folder, lent)
            except Rejected as rejected:
                reason = str(rejected)
    return {"rejected": reason}


def _attempt(studio: Studio, number: int, attempt: int, folder: Path, lent: Borrowed) -> dict[str, Any]:
    settings, scene, hook = studio.settings, studio.scene, studio.hook

    def dice(what: str, of: int = number) -> random.Random:
        # Strings seed by SHA-512, the same in every Python; one stream for each aspect, so that none disturbs another.
        return random.Random(f"lifelike {settings.seed} {of} {attempt} {what}")

    place = draw_place(settings, dice("camera"))
    person_dice = random.Random(f"lifelike {settings.seed} person {number // settings.poses}")
    shot = Shot(scene, settings, number, dice("hook"), person_dice, place, studio.options, studio.texts)
    set_render(scene, settings, dice("noise"), lent)
    attributes: dict[str, Any] = {"frame": draw_frame(scene, settings, dice("frame"), lent)}
    identity = _person(hook, shot, attributes)
    if hook.has("expression"):
        _note(attributes, "expression", hook.call("expression", shot))
    else:
        _note(attributes, "expression", draw_expression(scene, settings, dice("expression"), lent))

    head = choose_head(scene, hook, dice("head"))
    if head is not None:
        as_rendered(head.item, lent)
    if hook.has("pose"):
        _note(attributes, "pose", hook.call("pose", shot))
    elif head is not None:
        face = face_frame(landmarks_of_head(head))
        _note(attributes, "head_turn", draw_turn(head.item, face, settings, dice("turn"), lent))

    points = landmarks_in_world(hook, shot, head)
    camera, face, pixels = _framed(studio, shot, points, folder, dice, attributes, lent)
    if points is not None:
        _check_visible(scene, points, settings.resolution)
        yaw, pitch = angles(face, camera.matrix_world.translation)
        distance = (camera.matrix_world.translation - face.centre).length / face.metre
        attributes |= {"yaw": round(yaw, 3), "pitch": round(pitch, 3), "distance": round(distance, 4)}
    attributes["focal"] = round(camera.evaluated_get(bpy.context.evaluated_depsgraph_get()).data.lens, 3)
    pictures, stops = render_looks(studio, shot, pixels, folder)
    if stops:
        attributes["exposure"] = stops
    return {
        "pictures": pictures,
        "landmarks": np.round(pixels, 3).tolist(),
        "identity": identity,
        "head": "" if head is None else head.name,
        "attributes": attributes,
    }


def _person(hook: Hook, shot: Shot, attributes: dict[str, Any]) -> str:
    if not hook.has("person"):
        return ""
    drawn = hook.call("person", shot) or {}
    if not isinstance(drawn, Mapping) or not isinstance(drawn.get("attributes", {}), Mapping):
        raise LifelikeError(
            ErrorCode.INVALID_FILE,
            "The hook's person gives back no dictionary.",
            'Return {"identity": text, "attributes": {…}}, or None.',
        )
    attributes |= drawn.get("attributes", {})
    bpy.context.view_layer.update()
    return str(drawn.get("identity", shot.person))


def _framed(
    studio: Studio,
    shot: Shot,
    points: np.ndarray | None,
    folder: Path,
    dice: Callable[[str], random.Random],
    attributes: dict[str, Any],
    lent: Borrowed,
) -> tuple[bpy.types.Object, FaceFrame, np.ndarray]:
    """Camera and light. Returns the camera, the face's place and the landmarks in pixels of the portrait."""
    scene, hook, size = studio.scene, studio.hook, studio.settings.resolution
    if points is not None:
        face = face_frame(points)
    else:
        face, width = camera_before_scene(scene)

    if hook.has("camera"):
        hook.call("camera", shot)
        bpy.context.view_layer.update()
        if scene.camera is None or scene.camera.data.type not in ("PERSP", "ORTHO"):
            raise LifelikeError(
                ErrorCode.INVALID_FILE,
                "After the hook's camera the scene has no camera with a plain projection.",
                "Set scene.camera to a perspective or orthographic camera.",
            )
    elif points is not None:
        add_camera(scene, face, shot.place, lent)
    else:
        # The scene's own framing at another focal length: nearer or further, equally wide.
        distance = width * shot.place.focal / 36.0 / face.metre
        place = CameraPlace(shot.place.yaw, shot.place.pitch, distance, shot.place.focal)
        add_camera(scene, face, place, lent)
        attributes |= {"yaw": round(place.yaw, 3), "pitch": round(place.pitch, 3)}

    if hook.has("light"):
        _note(attributes, "light", hook.call("light", shot))
        bpy.context.view_layer.update()
    else:
        drawn = draw_light(scene, face, studio.panoramas, studio.settings, dice("light"), lent)
        _note(attributes, "light", drawn)

    if points is not None:
        pixels = project(scene, scene.camera, points, size)
        if off_by(pixels, size) <= EXACT:
            return scene.camera, face, pixels
    camera = _own_copy(scene, lent)
    if points is None:
        found = sought_landmarks(studio, shot, folder)
        if found is None:
            raise Rejected("no face was found in the picture")
        return camera, face, aim(camera, found, size)
    aim(camera, project(scene, camera, points, size), size)
    return camera, face, project(scene, camera, points, size)


def _own_copy(scene: bpy.types.Scene, lent: Borrowed) -> bpy.types.Object:
    """The scene's camera again, as it now stands, free of parents, drivers and shift; made the scene's."""
    depsgraph = bpy.context.evaluated_depsgraph_get()
    evaluated = scene.camera.evaluated_get(depsgraph)
    data = bpy.data.cameras.new("Lifelike shot")
    lent.made(bpy.data.cameras, data)
    for name in ("type", "lens", "sensor_width", "sensor_height", "ortho_scale", "clip_start", "clip_end"):
        setattr(data, name, getattr(evaluated.data, name))
    data.sensor_fit = "AUTO"
    for name in ("use_dof", "aperture_fstop", "aperture_blades", "aperture_rotation", "aperture_ratio"):
        setattr(data.dof, name, getattr(evaluated.data.dof, name))
    data.dof.focus_object = scene.camera.data.dof.focus_object
    data.dof.focus_distance = evaluated.data.dof.focus_distance
    camera = bpy.data.objects.new("Lifelike shot", data)
    lent.made(bpy.data.objects, camera)
    scene.collection.objects.link(camera)
    camera.matrix_world = evaluated.matrix_world.normalized()
    lent.set(scene, "camera", camera)
    bpy.context.view_layer.update()
    return camera


def _check_visible(scene: bpy.types.Scene, points: np.ndarray, size: int) -> None:
    depsgraph = bpy.context.evaluated_depsgraph_get()
    view = camera_view(scene, depsgraph, scene.camera, size, size, border=False)
    if view is None or not is_visible(points, False, view, size, size, depsgraph, rendered=True):
        raise Rejected("the face is hidden or turned away")


def _note(attributes: dict[str, Any], name: str, value: Any) -> None:
    if value:
        attributes[name] = value
