# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is portrayed: the parameters of a face, of its expression and of the turn of its head."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace

Colour = tuple[float, float, float]

HAIR_STYLES = ("bald", "buzz", "short", "swept", "bob", "long", "bun", "curly")

# Linear Rec.709 albedos, skin from light to dark.
SKIN_COLOURS: dict[str, Colour] = {
    "porcelain": (0.66, 0.44, 0.36),
    "fair": (0.58, 0.36, 0.27),
    "beige": (0.50, 0.29, 0.20),
    "olive": (0.41, 0.235, 0.145),
    "tan": (0.33, 0.175, 0.105),
    "brown": (0.215, 0.105, 0.06),
    "deep": (0.115, 0.054, 0.032),
}
HAIR_COLOURS: dict[str, Colour] = {
    "black": (0.012, 0.010, 0.010),
    "dark brown": (0.035, 0.019, 0.012),
    "brown": (0.085, 0.042, 0.022),
    "auburn": (0.16, 0.045, 0.018),
    "ginger": (0.32, 0.10, 0.028),
    "blond": (0.44, 0.28, 0.12),
    "grey": (0.30, 0.29, 0.28),
    "white": (0.62, 0.61, 0.59),
}
EYE_COLOURS: dict[str, Colour] = {
    "brown": (0.10, 0.043, 0.016),
    "dark brown": (0.035, 0.016, 0.008),
    "hazel": (0.18, 0.11, 0.035),
    "green": (0.11, 0.17, 0.07),
    "blue": (0.10, 0.22, 0.38),
    "grey": (0.20, 0.25, 0.28),
}


@dataclass(frozen=True)
class Expression:
    """How far each expression is on, 0…1; gaze in degrees (positive: subject's left, up)."""

    smile: float = 0.0
    mouth_open: float = 0.0
    brows_up: float = 0.0
    blink: float = 0.0
    gaze_yaw: float = 0.0
    gaze_pitch: float = 0.0


@dataclass(frozen=True)
class HeadTurn:
    """Turn of the head in degrees: yaw to the subject's left, pitch up, roll towards the subject's left shoulder."""

    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0


@dataclass(frozen=True)
class Person:
    """A face in numbers. Shape values run from -1 to 1 with 0 in the middle; age, masculinity and stubble from 0 to 1.

    Colours are linear Rec.709 albedos. `Person()` is a valid average face.
    """

    name: str = "Avatar"
    masculinity: float = 0.5
    age: float = 0.25
    fullness: float = 0.0
    face_width: float = 0.0
    face_length: float = 0.0
    forehead: float = 0.0
    jaw_width: float = 0.0
    chin_length: float = 0.0
    chin_depth: float = 0.0
    cheekbones: float = 0.0
    brow_ridge: float = 0.0
    brow_height: float = 0.0
    brow_thickness: float = 0.0
    eye_size: float = 0.0
    eye_spacing: float = 0.0
    eye_tilt: float = 0.0
    eye_depth: float = 0.0
    nose_length: float = 0.0
    nose_width: float = 0.0
    nose_bridge: float = 0.0
    nose_tip: float = 0.0
    lip_fullness: float = 0.0
    mouth_width: float = 0.0
    ear_size: float = 0.0
    stubble: float = 0.0
    skin_colour: Colour = SKIN_COLOURS["beige"]
    hair_colour: Colour = HAIR_COLOURS["dark brown"]
    eye_colour: Colour = EYE_COLOURS["brown"]
    hair_style: str = "short"
    shirt_colour: Colour = (0.06, 0.09, 0.14)
    expression: Expression = field(default_factory=Expression)
    turn: HeadTurn = field(default_factory=HeadTurn)

    def __post_init__(self) -> None:
        if self.hair_style not in HAIR_STYLES:
            raise ValueError(f"Unknown hair style {self.hair_style!r}; choose one of {', '.join(HAIR_STYLES)}.")

    @staticmethod
    def random(seed: int) -> Person:
        """A plausible stranger; the same seed always gives the same one."""
        dice = random.Random(f"lifelike avatar {seed}")

        def shape(middle: float = 0.0) -> float:
            return max(-1.0, min(1.0, dice.gauss(middle, 0.45)))

        masculinity = dice.choice((dice.uniform(0.0, 0.25), dice.uniform(0.75, 1.0)))
        man = masculinity > 0.5
        age = dice.uniform(0.1, 0.9)
        tone = dice.uniform(0.0, len(SKIN_COLOURS) - 1.0)
        styles = ("bald", "buzz", "short", "short", "swept", "curly") if man else (*HAIR_STYLES[2:], "long", "bob")
        return Person(
            name=f"Stranger {seed}",
            masculinity=masculinity,
            age=age,
            fullness=shape(),
            face_width=shape(),
            face_length=shape(),
            forehead=shape(),
            jaw_width=shape(),
            chin_length=shape(),
            chin_depth=shape(),
            cheekbones=shape(),
            brow_ridge=shape(),
            brow_height=shape(),
            brow_thickness=shape(),
            eye_size=shape(),
            eye_spacing=shape(),
            eye_tilt=shape(),
            eye_depth=shape(),
            nose_length=shape(),
            nose_width=shape(0.08 * (tone - 3.0)),
            nose_bridge=shape(-0.1 * (tone - 3.0)),
            nose_tip=shape(),
            lip_fullness=shape(0.1 * (tone - 3.0)),
            mouth_width=shape(),
            ear_size=shape(),
            stubble=dice.choice((0.0, 0.0, dice.uniform(0.3, 0.9))) if man else 0.0,
            skin_colour=_skin_between(tone, dice),
            hair_colour=_hair_for(tone, age, dice),
            eye_colour=EYE_COLOURS[dice.choice(tuple(EYE_COLOURS) if tone < 3.0 else ("brown", "dark brown", "hazel"))],
            hair_style=dice.choice(styles),
            shirt_colour=(dice.uniform(0.02, 0.5), dice.uniform(0.02, 0.5), dice.uniform(0.02, 0.5)),
        )

    def with_expression(self, **levels: float) -> Person:
        """The same person with these expression levels set and the others kept."""
        return replace(self, expression=replace(self.expression, **levels))

    def turned(self, yaw: float = 0.0, pitch: float = 0.0, roll: float = 0.0) -> Person:
        """The same person with the head turned by these angles in degrees."""
        return replace(self, turn=HeadTurn(yaw, pitch, roll))


def _skin_between(tone: float, dice: random.Random) -> Colour:
    """Skin colour at a place between two neighbours of SKIN_COLOURS, varied a little."""
    colours = tuple(SKIN_COLOURS.values())
    index = min(int(tone), len(colours) - 2)
    share = tone - index
    vary = dice.uniform(0.93, 1.07)
    mixed = tuple(a ** (1.0 - share) * b**share * vary for a, b in zip(colours[index], colours[index + 1], strict=True))
    return (mixed[0], mixed[1] * dice.uniform(0.96, 1.04), mixed[2] * dice.uniform(0.94, 1.06))


def _hair_for(tone: float, age: float, dice: random.Random) -> Colour:
    """Natural hair colour for a skin tone and an age."""
    if age > 0.6 and dice.random() < (age - 0.45) * 1.6:
        return HAIR_COLOURS[dice.choice(("grey", "white"))]
    fair = ("black", "dark brown", "brown", "brown", "auburn", "ginger", "blond", "blond")
    return HAIR_COLOURS[dice.choice(fair if tone < 2.5 else ("black", "black", "dark brown"))]
