# SPDX-License-Identifier: GPL-3.0-or-later
"""A hook for `lifelike dataset render`: people drawn from parametric_head.blend, each shot in both its looks.

    lifelike dataset render parametric_head.blend --hook examples/parametric_people.py \\
        --run-scene-text parametric_head.py --match-exposure --poses 2 --count 2000 -o people

The scene's own script draws and sets everything; this file says when. Identities are numbers from 10000 on, so that
they never meet those of the paired heads (`--hook-option first=20000` starts elsewhere).
"""

from __future__ import annotations

import bpy
import numpy as np

LOOKS = ("render", "photo")
KEEP_SCENE = True  # `apply` sets every property and shape key anew

FIRST_IDENTITY = 10000
RENDER_SAMPLES, PHOTO_SAMPLES = 5, 9  # beyond these only the time grows, with the denoiser
GRAIN, SPECKLE = 1.8, 0.7  # of 255, grey and coloured: what the paired heads' photo look has beyond this scene's

_RACES = ("african", "asian", "caucasian")
_STYLES = ("none", "short01", "short02", "short03", "short04", "afro01", "bob01", "bob02", "long01", "ponytail01",
           "braid01")  # fmt: skip


def person(shot):
    """Somebody with this number's face, and this shot's expression, camera and light."""
    scripts = _scripts(shot)
    who = scripts["draw_person"](shot.person_dice.randrange(2**31), expression=False)
    moment = scripts["draw_person"](shot.dice.randrange(2**31))
    who["keys"] |= {name: value for name, value in moment["keys"].items() if name.startswith("ex_")}
    # Light is exposed for the skin: what was drawn for the other's is brought to this one's.
    brighter = _exposure(who) / _exposure(moment)
    who["camera"] = moment["camera"] | {
        "yaw": shot.place.yaw,
        "pitch": shot.place.pitch,
        "distance": shot.place.distance,
    }
    turned = shot.place.yaw - moment["camera"]["yaw"]
    for name in ("key", "fill", "rim"):
        who[name] = dict(moment[name])
    who["key"]["azimuth"] += turned
    who["fill"]["azimuth"] += turned
    who["key"]["strength"] *= brighter
    who["scene"] = moment["scene"] | {"ambient": moment["scene"]["ambient"] * brighter}
    scripts["apply"](who)
    first = int(shot.options.get("first", FIRST_IDENTITY))
    return {"identity": str(first + shot.person), "attributes": _attributes(who) | {"pose": shot.pose}}


def expression(shot):
    """Set with the person."""


def pose(shot):
    """The head has no neck to turn."""


def light(shot):
    """Set with the person."""
    names = ("key", "fill", "rim")
    return {name: {key: round(bpy.data.objects[name][key], 4) for key in ("azimuth", "strength")} for name in names}


def landmarks(shot):
    """The 68 landmarks on the surface that is rendered."""
    return _scripts(shot)["landmarks"]()[:68]


def camera(shot):
    """The scene's own: its depth of field belongs to the photo look."""
    _scripts(shot)["frame_ffhq"]()


def look(shot, name):
    """The scene's switch; the photo look is denoised without guides, which keeps the skin's fine pattern.

    The plain view and not the scene's own film curve: with it, faces differ between the looks by as much in mean
    colour, contrast and saturation as those of the paired heads do (1.0 of 255, 9 % and 6 %).
    """
    _scripts(shot)["set_look"](int(name == "photo"), film=False)
    cycles = shot.scene.cycles
    cycles.samples = shot.settings.samples or (PHOTO_SAMPLES if name == "photo" else RENDER_SAMPLES)
    cycles.denoising_prefilter = "NONE" if name == "photo" else "ACCURATE"


def develop(shot, name, pixels):
    """Mild grain in the photo look, as in the paired heads."""
    if name != "photo":
        return pixels
    random = np.random.default_rng(shot.dice.randrange(2**31))
    grain, speckle = random.normal(0.0, 1.0, (*pixels.shape[:2], 1)), random.normal(0.0, 1.0, pixels.shape)
    return pixels + (GRAIN * grain + SPECKLE * speckle) / 255


def _scripts(shot):
    return shot.texts["parametric_head.py"]


def _exposure(person):
    """How much brighter than plain the light is for this skin; `draw_person`'s own rule."""
    luminance = sum(
        value * weight for value, weight in zip(person["head"]["skin_tone"], (0.2126, 0.7152, 0.0722), strict=True)
    )
    return min(max((0.26 / luminance) ** 0.22, 0.9), 1.6)


def _attributes(person):
    """In the words of the paired heads' index."""
    keys, head = person["keys"], person["head"]
    old, child = keys.get("id_age_old", 0.0), keys.get("id_age_child", 0.0)
    return {
        "gender": round((keys["id_gender"] + 1) / 2, 3),
        "age": round(0.5 + old / 2 if old else 0.5 - child / 2.6, 3),
        "ethnicity": {name: round(keys[f"id_{name}"], 3) for name in _RACES},
        "hair": _STYLES[head["hair"]],
        "skin_albedo_linear": [round(value, 4) for value in head["skin_tone"]],
        "stubble": round(head["stubble"], 3),
        "expression_units": {name: round(value, 3) for name, value in keys.items() if name.startswith("ex_") and value},
    }
