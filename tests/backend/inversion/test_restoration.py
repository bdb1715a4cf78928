# SPDX-License-Identifier: GPL-3.0-or-later
"""What comes back from the input: each part in its own place and at its own frequencies."""

from __future__ import annotations

from collections.abc import Callable

import attrs
import numpy as np
import pytest
import torch
from torch import Tensor

from lifelike.faces.regions import Regions, face_regions
from lifelike.inversion import invert
from lifelike.restoration import blurred, needed, restore
from lifelike.transfer import Transfer
from lifelike_protocol.messages import Method, Restoration
from small_bundle import small_bundle

SIDE = 256
NOTHING = Restoration(0.0, 0.0, 0.0, 0.0)
Placed = Callable[..., np.ndarray]


@pytest.fixture(scope="module")
def landmarks(face_landmarks: Placed) -> np.ndarray:
    return face_landmarks((128, 140), 130)


@pytest.fixture(scope="module")
def portrait(landmarks: np.ndarray) -> np.ndarray:
    """A face of one colour with light eyes that look to the picture's right: dark discs off their middles."""
    picture = np.full((SIDE, SIDE, 3), 0.6, np.float32)
    rows, columns = np.mgrid[:SIDE, :SIDE] + 0.5
    for x, y in looked_at(landmarks):
        picture[np.hypot(columns - x, rows - y) < 3] = 0.05
    return picture


def looked_at(landmarks: np.ndarray) -> list[np.ndarray]:
    aside = np.array([4, 0])
    return [landmarks[eye].mean(axis=0) + aside for eye in (slice(36, 42), slice(42, 48))]


@pytest.fixture(scope="module")
def regions(portrait: np.ndarray, landmarks: np.ndarray) -> Regions:
    return face_regions(portrait, landmarks)


def at(picture: Tensor, place: np.ndarray) -> Tensor:
    """The value [C] at (x, y)."""
    x, y = np.floor(place).astype(int)
    return picture[0, :, y, x]


def constant(colour: tuple[float, float, float]) -> Tensor:
    return torch.tensor(colour)[None, :, None, None].expand(1, 3, SIDE, SIDE).clone()


def checker() -> Tensor:
    """±0.08 from pixel to pixel."""
    rows, columns = torch.arange(SIDE)[:, None], torch.arange(SIDE)[None]
    return (0.08 * (1 - 2 * ((rows + columns) % 2)).float()).expand(1, 3, SIDE, SIDE).clone()


def brought_back(residual: Tensor, regions: Regions, **amount: float) -> Tensor:
    """What is added to a decode."""
    made = torch.full((1, 3, SIDE, SIDE), 0.125)
    return restore(made, residual, regions, attrs.evolve(NOTHING, **amount)) - made


@pytest.fixture(scope="module")
def places(landmarks: np.ndarray) -> dict[str, np.ndarray]:
    return {
        "cheek": (landmarks[3] + landmarks[31]) / 2,
        "lips": landmarks[[51, 62]].mean(axis=0),
        "iris": looked_at(landmarks)[0],
        "corner": np.array([6.0, 6.0]),
    }


def test_regions_lie_where_the_landmarks_say(regions: Regions, places: dict[str, np.ndarray]) -> None:
    expected = {"cheek": (1, 1, 0), "lips": (1, 0, 0), "iris": (1, 0, 1), "corner": (0, 0, 0)}
    for name, wanted in expected.items():
        found = [float(at(mask, places[name])) for mask in (regions.face, regions.skin, regions.irises)]
        assert found == pytest.approx(wanted, abs=0.25), name


def test_irises_are_found_where_the_eyes_look(regions: Regions, landmarks: np.ndarray) -> None:
    rows, columns = np.mgrid[:SIDE, :SIDE] + 0.5
    weight = regions.irises[0, 0].numpy()
    for place in looked_at(landmarks):
        near = weight * (np.abs(columns - place[0]) < 15) * (np.abs(rows - place[1]) < 15)
        centre = np.array([(columns * near).sum(), (rows * near).sum()]) / near.sum()
        assert np.hypot(*(centre - place)) < 2.0


def test_closed_eyes_have_no_irises(portrait: np.ndarray, landmarks: np.ndarray) -> None:
    closed = landmarks.copy()
    for eye in (slice(36, 42), slice(42, 48)):
        closed[eye, 1] = closed[eye, 1].mean()
    shut, opened = (float(face_regions(portrait, points).irises.sum()) for points in (closed, landmarks))
    assert shut < opened / 4


def test_regions_grow_with_the_portrait(portrait: np.ndarray, landmarks: np.ndarray, regions: Regions) -> None:
    large = face_regions(np.repeat(np.repeat(portrait, 2, 0), 2, 1), landmarks * 2)
    small = torch.nn.functional.avg_pool2d(large.skin, 2)
    assert (small - regions.skin).abs().mean() < 0.01


def test_skin_gets_its_colour_back_and_keeps_its_own_grain(regions: Regions, places: dict[str, np.ndarray]) -> None:
    colour = brought_back(constant((0.05, -0.04, 0.02)), regions, skin=1.0)
    assert at(colour, places["cheek"]).tolist() == pytest.approx([0.05, -0.04, 0.02], abs=0.004)
    for name in ("lips", "iris", "corner"):
        assert at(colour, places[name]).abs().max() < 0.015, name
    assert brought_back(checker(), regions, skin=1.0).abs().max() < 0.005


def test_the_background_does_not_bleed_into_the_skin(regions: Regions, places: dict[str, np.ndarray]) -> None:
    residual = constant((0.5, 0.5, 0.5)) * (1 - regions.face)
    inside = brought_back(residual, regions, skin=1.0) * (regions.face > 0.98)
    assert inside.abs().max() < 0.06
    assert at(inside, places["cheek"]).abs().max() < 0.02


def test_irises_get_their_colour_back_and_nothing_else_changes(regions: Regions, places: dict[str, np.ndarray]) -> None:
    colour = brought_back(constant((-0.06, 0.0, 0.08)), regions, iris=1.0)
    assert at(colour, places["iris"]).tolist() == pytest.approx([-0.06, 0.0, 0.08], abs=0.02)
    for name in ("cheek", "lips", "corner"):
        assert at(colour, places[name]).abs().max() < 1e-4, name
    assert brought_back(checker(), regions, iris=1.0).abs().max() < 0.02


def test_the_background_comes_back_with_all_its_detail(regions: Regions, places: dict[str, np.ndarray]) -> None:
    residual = checker() + 0.3
    back = brought_back(residual, regions, background=1.0)
    outside = (regions.face < 0.002).expand_as(back)
    assert torch.allclose(back[outside], residual[outside], atol=0.002)
    for name in ("cheek", "lips", "iris"):
        assert at(back, places[name]).abs().max() < 0.05, name


def with_glasses(landmarks: np.ndarray, colour: float) -> tuple[Tensor, Tensor]:
    """A small residual everywhere with a bar over the nose's bridge, and where that is."""
    bar = torch.zeros(1, 1, SIDE, SIDE)
    x, y = landmarks[27].round().astype(int)
    bar[..., y - 5 : y + 6, x - 20 : x + 21] = 1
    return checker() / 4 + colour * bar, bar


def test_what_stands_out_comes_back_whole(
    regions: Regions, landmarks: np.ndarray, places: dict[str, np.ndarray]
) -> None:
    residual, bar = with_glasses(landmarks, -0.6)
    back = brought_back(residual, regions, accessories=1.0)
    inside = (bar > 0).expand_as(back)
    assert (back[inside] - residual[inside]).abs().mean() < 0.01
    for name in ("cheek", "lips", "corner"):
        assert at(back, places[name]).abs().max() < 1e-3, name


def test_shine_on_the_skin_stays_lost_and_a_white_collar_does_not(regions: Regions, landmarks: np.ndarray) -> None:
    residual, bar = with_glasses(landmarks, 0.6)
    assert brought_back(residual, regions, accessories=1.0)[(bar > 0).expand(1, 3, -1, -1)].abs().max() < 1e-3
    collar = torch.zeros(1, 3, SIDE, SIDE)
    collar[..., 246:, 100:150] = 0.6
    back = brought_back(collar, regions, accessories=1.0)
    assert torch.allclose(back[..., 250:, 110:140], collar[..., 250:, 110:140], atol=0.01)


def test_amounts_are_shares_and_parts_are_not_counted_twice(regions: Regions, landmarks: np.ndarray) -> None:
    residual, _ = with_glasses(landmarks, -0.6)
    everything = attrs.asdict(Restoration(1.0, 1.0, 1.0, 1.0))
    assert brought_back(residual, regions, **everything).min() > residual.min() - 0.02
    assert torch.equal(brought_back(residual, regions), torch.zeros(1, 3, SIDE, SIDE))
    for name in everything:
        whole, half = (brought_back(residual, regions, **{name: share}) for share in (1.0, 0.5))
        assert torch.allclose(half, whole / 2, atol=1e-5), name
    assert [needed(attrs.evolve(NOTHING, **{name: 0.1})) for name in everything] == [True] * 4
    assert not needed(NOTHING)


@pytest.mark.parametrize("scale", [0.006, 0.04, 0.1])
def test_blur_is_as_wide_as_it_says(scale: float) -> None:
    impulse = torch.zeros(1, 1, SIDE, SIDE)
    impulse[..., SIDE // 2 - 1 : SIDE // 2 + 1, SIDE // 2 - 1 : SIDE // 2 + 1] = 0.25
    spread = blurred(impulse, scale)[0, 0]
    position = torch.arange(SIDE) + 0.5 - SIDE / 2
    deviation = float((spread.sum(0) * position.square()).sum() / spread.sum()) ** 0.5
    assert float(spread.sum()) == pytest.approx(1.0, abs=0.05)
    assert deviation == pytest.approx(scale * SIDE, rel=0.25, abs=0.5)


def test_only_a_decode_with_regions_is_restored(face_landmarks: Placed) -> None:
    bundle = small_bundle()
    transfer = Transfer(bundle)
    x = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0)) - 0.5
    latent = invert(bundle, x)
    regions = face_regions(np.full((64, 64, 3), 0.5, np.float32), face_landmarks((32, 36), 32))
    plain, difference = (transfer.apply(x, latent, method) for method in (Method.DECODE, Method.DIFFERENCE))
    assert torch.equal(transfer.apply(x, latent, Method.DIFFERENCE, regions=regions), difference)
    assert torch.equal(transfer.apply(x, latent, Method.DECODE, regions=regions, restoration=NOTHING), plain)
    restored = transfer.apply(x, latent, Method.DECODE, regions=regions)
    outside = (regions.face < 1e-4).expand_as(restored)
    assert torch.allclose(restored[outside], difference[outside], atol=1e-3)
    assert (restored - plain).abs().mean() < (difference - plain).abs().mean()
