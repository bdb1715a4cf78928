# SPDX-License-Identifier: GPL-3.0-or-later
"""The forms of a head: where bone, flesh and cartilage sit for a person, and their joined surface.

Centimetres; X to the subject's left, -Y forward, Z up; the pupils' level is Z = 0. The middle values follow common
anthropometric means (face height, interocular distance, mouth and nose width); the rest is reconstructed by eye.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .distance import Array, carve, ellipsoid, join, limb
from .person import Person

EYE_RADIUS = 1.2


@dataclass(frozen=True)
class Features:
    """Places and sizes (cm) that several parts of the bust share, computed once from a person."""

    eye: tuple[float, float, float]
    lid: float
    fissure: float
    opening: float
    tilt: float
    mouth_z: float
    mouth_half: float
    upper_lip: float
    lower_lip: float
    nose_base_z: float
    nose_half: float
    chin_z: float
    brow_z: float
    width: float
    lips_y: float


def features(person: Person) -> Features:
    """The shared places for this person."""
    man = person.masculinity
    long = 1.0 + 0.06 * person.face_length
    nose_base = (-4.7 - 0.45 * person.nose_length) * long
    width = 1.0 + 0.06 * person.face_width + 0.03 * person.fullness
    return Features(
        eye=(3.15 + 0.22 * person.eye_spacing, -6.62 + 0.3 * person.eye_depth, 0.0),
        lid=EYE_RADIUS + 0.13,
        fissure=1.61 + 0.13 * person.eye_size,
        opening=0.56 + 0.11 * person.eye_size - 0.06 * person.age,
        tilt=0.12 + 0.16 * person.eye_tilt - 0.08 * person.age,
        mouth_z=nose_base - 2.25 * long - 0.12 * person.age,
        mouth_half=2.45 + 0.32 * person.mouth_width + 0.15 * (man - 0.5),
        upper_lip=0.62 * (1.0 + 0.42 * person.lip_fullness) * (1.1 - 0.25 * person.age) * (1.08 - 0.16 * man),
        lower_lip=0.86 * (1.0 + 0.38 * person.lip_fullness) * (1.08 - 0.2 * person.age) * (1.06 - 0.12 * man),
        nose_base_z=nose_base,
        nose_half=1.62 + 0.3 * person.nose_width + 0.16 * (man - 0.5),
        chin_z=(-10.05 - 0.55 * person.chin_length - 0.35 * (man - 0.5)) * long,
        brow_z=1.68 + 0.25 * person.brow_height - 0.35 * (man - 0.5),
        width=width,
        lips_y=-9.15,
    )


def head_distance(person: Person, points: Array) -> Array:
    """Signed distance (N,) of points (N, 3) to the bust without lips' detail and ears."""
    place = features(person)
    folded = points.copy()
    folded[:, 0] = np.sqrt(points[:, 0] ** 2 + 1e-4)
    body = _skull(person, place, folded)
    body = _jaw(person, place, folded, body)
    body = join(body, _trunk(person, folded), 1.6)
    body = _orbit(person, place, folded, body)
    body = _nose(person, place, folded, body)
    return _folds(person, place, folded, body)


def _skull(person: Person, place: Features, p: Array) -> Array:
    w, man = place.width, person.masculinity
    body = ellipsoid(p, (0, 1.4, 2.7), (7.2 * w, 9.2, 8.7))
    body = join(body, ellipsoid(p, (0, -2.6, 4.0 + 0.4 * person.forehead), (6.3 * w, 5.9, 4.9)), 2.0)
    body = join(body, ellipsoid(p, (0, -2.2, -3.4), (6.0 * w, 6.3, 6.6)), 2.2)
    ridge = 0.62 + 0.14 * person.brow_ridge + 0.16 * (man - 0.5)
    brow = limb(p, (0.8, -7.95 - ridge * 0.25, place.brow_z - 0.3), (4.5, -6.0, place.brow_z - 0.4), ridge, 0.55)
    return join(body, brow, 1.8)


def _jaw(person: Person, place: Features, p: Array, body: Array) -> Array:
    w, man = place.width, person.masculinity
    gonion = (4.55 + 0.45 * person.jaw_width + 0.95 * (man - 0.5)) * w
    chin_y = -7.75 - 0.45 * person.chin_depth - 0.25 * (man - 0.5)
    fat = 0.22 * person.fullness
    jaw_z = place.chin_z * 0.64
    body = join(
        body,
        limb(
            p,
            (gonion, -0.6, jaw_z),
            (0.9, chin_y + 0.3, place.chin_z + 0.3),
            1.05 + 0.45 * man + fat,
            0.9 + 0.25 * man + fat,
        ),
        2.2,
    )
    body = join(body, limb(p, (gonion, -0.6, jaw_z), (5.5 * w, 0.0, -1.0), 1.3 + fat, 1.2), 2.4)
    body = join(body, ellipsoid(p, (4.0 * w, -2.6, -4.6), (2.35 + fat, 3.6, 3.4)), 2.0)
    chin = ellipsoid(p, (0, chin_y - 0.12, place.chin_z), (1.35 + 0.45 * man, 1.2, 1.1))
    body = join(body, chin, 1.1)
    body = join(body, ellipsoid(p, (0, -4.9, place.mouth_z + 0.3), (3.7, 4.25, 2.7)), 1.5)
    body = join(body, ellipsoid(p, (0, -4.4, place.chin_z * 0.8), (3.35 + 0.4 * man + fat, 3.7, 2.5)), 2.2)
    bone = 0.25 * person.cheekbones
    body = join(body, ellipsoid(p, (4.45 * w + bone * 0.6, -5.1 - bone, -2.3), (1.8, 1.9, 1.25)), 2.4)
    cheek = 0.35 * person.fullness - 0.35 * person.age * (1 - 0.5 * person.fullness)
    return join(body, ellipsoid(p, (3.2, -6.45, -4.3), (2.25 + cheek, 1.9 + cheek, 2.4)), 1.6)


def _trunk(person: Person, p: Array) -> Array:
    man = person.masculinity
    neck = 4.6 + 0.8 * man + 0.3 * person.fullness
    body = limb(p, (0, 1.6, -5.0), (0, 3.4, -21.0), neck, neck + 0.4)
    body = join(body, limb(p, (5.0, 2.6, -7.5), (1.5, -2.0, -20.0), 0.8, 0.9), 2.2)
    if man > 0.5:
        body = join(body, ellipsoid(p, (0, -2.7, -14.6), (1.0, 0.9 + 0.3 * man, 1.4)), 1.8)
    slope = 2.6 + 0.7 * man
    reach = 14.5 + 3.0 * man
    body = join(body, limb(p, (2.0, 4.8, -13.5), (reach, 3.8, -22.0), slope, 3.0), 3.5)
    body = join(body, limb(p, (reach + 1, 3.4, -24.0), (reach + 3.0, 2.4, -42.0), 4.6, 4.2), 3.0)
    return join(body, ellipsoid(p, (0, 3.4, -33.0), (reach + 1.5, 9.2 + man, 12.5)), 4.0)


def _orbit(person: Person, place: Features, p: Array, body: Array) -> Array:
    ex, ey, ez = place.eye
    socket = ellipsoid(p, (ex - 0.05, ey - 2.15, ez + 0.0), (2.0, 1.45, 1.18 + 0.1 * person.eye_size))
    body = carve(body, socket, 1.3)
    lids = ellipsoid(p, (ex, ey, ez), (place.lid, place.lid, place.lid))
    body = join(body, lids, 0.34)
    bag = 0.16 * person.age
    if bag > 0.03:
        body = join(
            body, limb(p, (ex - 1.1, ey - 0.75, -1.25), (ex + 1.0, ey - 0.35, -1.25), 0.3 + bag, 0.25 + bag), 0.5
        )
    return body


def _nose(person: Person, place: Features, p: Array, body: Array) -> Array:
    half, base = place.nose_half, place.nose_base_z
    bridge = -8.2 - 0.4 * person.nose_bridge - 0.25 * (person.masculinity - 0.5)
    tip_z = base + 1.0 + 0.35 * person.nose_tip
    tip_y = -10.75 - 0.3 * person.nose_length - 0.15 * person.nose_bridge
    ball = 0.78 + 0.14 * person.nose_width
    body = join(body, limb(p, (0, bridge + 0.55, 0.9), (0, tip_y + 1.25, base + 1.2), 0.62, half * 0.6), 1.3)
    body = join(body, limb(p, (0, bridge, 0.6), (0, tip_y + 0.12, tip_z + 0.1), 0.36, ball * 0.72), 0.8)
    body = join(body, ellipsoid(p, (0, tip_y, tip_z), (ball * 0.95, ball * 0.86, ball * 0.82)), 0.8)
    body = join(body, limb(p, (0, tip_y + 0.25, tip_z - 0.45), (0, -8.9, base + 0.05), 0.34, 0.42), 0.35)
    wing = ellipsoid(p, (half - 0.56, -9.15, base + 0.66), (0.52, 0.95, 0.66))
    body = join(body, wing, 0.5)
    nostril = ellipsoid(p, (half * 0.46, -9.72, base + 0.2), (0.16 * half, 0.55, 0.34))
    return carve(body, nostril, 0.22)


def _folds(person: Person, place: Features, p: Array, body: Array) -> Array:
    """Hollows: philtrum, groove under the lower lip, and with age the fold from nose to mouth."""
    groove = limb(p, (0.0, -9.75, place.nose_base_z - 0.2), (0.0, -9.8, place.mouth_z + 0.75), 0.22, 0.3)
    body = carve(body, groove, 0.35)
    dip = limb(p, (0.0, -9.75, place.mouth_z - 1.45), (1.1, -9.35, place.mouth_z - 1.25), 0.45, 0.3)
    body = carve(body, dip, 0.9)
    depth = 0.04 + 0.26 * person.age
    start = (place.nose_half + 0.25, -8.9, place.nose_base_z + 0.6)
    end = (place.mouth_half + 0.55, -8.15, place.mouth_z + 0.6)
    body = carve(body, limb(p, start, end, depth, depth * 0.3), 0.9)
    return body
