# SPDX-License-Identifier: GPL-3.0-or-later
"""The face locator's geometry, its made-up training scenes, and what the built-in one finds."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from attrs import evolve
from PIL import Image
from rich.console import Console

from lifelike.evaluation.landmark_error import landmark_errors
from lifelike.networks.face_detector import Detections, FaceMap, read_face_map
from lifelike.networks.face_locator import FaceLocator, distinct, face_crop, fit_to, frame_pyramid
from lifelike.networks.landmark_regressor import mean_position
from lifelike.networks.weights import load_weights
from lifelike.training.landmarks.crops import FaceCrops
from lifelike.training.landmarks.material import load_others, outlines
from lifelike.training.landmarks.scenes import MIRRORED, DetectorScenes, HeadCutouts, head_outlines, mean_face
from lifelike.training.landmarks.settings import LandmarkSettings, SceneSettings
from lifelike.training.landmarks.sheet import TRUE, with_landmarks
from lifelike.training.landmarks.task import LandmarksTask, read_labelled
from lifelike.training.networks import load_locator
from lifelike.training.portraits import PortraitData, read_portraits
from lifelike.training.processes import start_fabric
from lifelike.training.run import run_task
from lifelike.training.task import Moment, RunSettings
from lifelike_protocol.errors import LifelikeError
from made_up_pairs import draw_face, drawn_landmarks, write_pairs


def cutouts(count: int = 2, size: int = 128) -> tuple[HeadCutouts, FaceLocator]:
    """Drawn faces as training material, and a locator that knows their mean face."""
    pictures = np.stack([np.asarray(draw_face(size, (200, 150, 120), (10, 20, 200)))] * count)
    landmarks = np.stack([drawn_landmarks(size)] * count).astype(np.float32)
    locator = FaceLocator()
    locator.mean_shape.copy_(mean_face(landmarks))
    return HeadCutouts.from_pictures(pictures, landmarks, head_outlines(pictures)), locator


def test_mirroring_twice_is_nothing_and_swaps_sides() -> None:
    assert torch.equal(MIRRORED[MIRRORED], torch.arange(68))
    points = drawn_landmarks(100)
    mirrored = points * [-1, 1] + [100, 0]
    moved = np.linalg.norm(mirrored[MIRRORED.numpy()] - points, axis=1)
    # Lip points run round the mouth, the drawn eyes too: all come to lie on their partners.
    assert moved[:36].max() < 1e-6
    assert moved[48:60].max() < 1e-6


def test_mean_face_is_upright_and_of_radius_one() -> None:
    points = np.stack([drawn_landmarks(100)] * 3).astype(np.float32)
    turned = torch.view_as_complex(torch.from_numpy(points)) * torch.polar(torch.tensor(2.0), torch.tensor(0.3))
    mean = mean_face(torch.view_as_real(turned).numpy())
    assert mean.mean(0).abs().max() < 1e-5
    assert (mean**2).sum(1).mean().sqrt().item() == pytest.approx(1, abs=1e-5)
    assert mean[45, 0] > mean[36, 0]
    assert mean[8, 1] > 0
    assert mean[36, 1].item() == pytest.approx(mean[45, 1].item(), abs=1e-5)


def test_fit_finds_centre_size_and_turn() -> None:
    _, locator = cutouts()
    mean = torch.view_as_complex(locator.mean_shape)
    scale, centre = torch.polar(torch.tensor(37.0), torch.tensor(0.4)), torch.tensor(120 + 80j)
    points = torch.view_as_real(mean * scale + centre)[None]
    found_centre, found_scale = locator.fit(points)
    torch.testing.assert_close(found_centre[0], centre.to(torch.complex64))
    torch.testing.assert_close(found_scale[0], scale)


def test_crop_is_upright_and_lands_where_it_should() -> None:
    """A bright dot at a known place of the crop comes out there, from every level of the pyramid."""
    for radius in (12.0, 40.0, 110.0):
        frame = torch.zeros(1, 3, 512, 640)
        centre, reach = complex(300, 260), radius * complex(math.cos(0.5), math.sin(0.5))
        spot = centre + reach * complex(0.5, -0.25)
        rows, columns = torch.meshgrid(torch.arange(512) + 0.5, torch.arange(640) + 0.5, indexing="ij")
        frame[:] = torch.exp(-((columns - spot.real) ** 2 + (rows - spot.imag) ** 2) / (2 * (radius / 8) ** 2))
        crop = face_crop(frame_pyramid(frame), torch.tensor(centre), torch.tensor(reach), 80)[0, 0]
        places = (torch.arange(80) + 0.5) / 40 - 1
        x = (crop.sum(0) * places).sum() / crop.sum()
        y = (crop.sum(1) * places).sum() / crop.sum()
        assert x.item() == pytest.approx(0.5, abs=0.02)
        assert y.item() == pytest.approx(-0.25, abs=0.02)


def test_integral_regression_reads_a_peak_between_cells() -> None:
    maps = torch.full((1, 1, 20, 20), -60.0)
    maps[0, 0, 10, 12] = maps[0, 0, 10, 13] = 60.0
    assert mean_position(maps)[0, 0].tolist() == pytest.approx(
        [1.25 * (13.0 / 10 - 1), 1.25 * (10.5 / 10 - 1)], abs=1e-4
    )


def test_face_map_is_read_back_in_pixels() -> None:
    heat, shape = torch.full((1, 1, 16, 16), -9.0), torch.zeros(1, 5, 16, 16)
    heat[0, 0, 4, 7] = 3.0
    shape[0, :, 4, 7] = torch.tensor([0.25, -0.25, math.log(20), 2 * math.cos(0.2), 2 * math.sin(0.2)])
    found = read_face_map(FaceMap(heat, shape))
    assert len(found.score) == 1
    assert complex(found.centre[0]) == pytest.approx(complex(31, 17))
    assert found.scale[0].abs().item() == pytest.approx(20, rel=1e-4)
    assert found.scale[0].angle().item() == pytest.approx(0.2, abs=1e-4)


def test_the_same_face_is_reported_once() -> None:
    found = Detections(
        torch.tensor([10 + 10j, 12 + 11j, 90 + 10j, 300 + 0j]),
        torch.tensor([20 + 0j, 25 + 0j, 20 + 0j, 9 + 0j]),
        torch.tensor([0.6, 0.9, 0.8, 0.1]),
    )
    assert distinct(found, 0.3) == [1, 2]


def test_frames_of_any_shape_fit_the_detector() -> None:
    for height, width in ((1, 1), (30, 2000), (777, 333)):
        shrunk, factor = fit_to(torch.zeros(1, 3, height, width), 192)
        assert shrunk.shape[-1] % 16 == 0
        assert shrunk.shape[-2] % 16 == 0
        assert max(height, width) * factor == pytest.approx(192)


def test_an_untrained_locator_finds_nothing_in_a_flat_frame() -> None:
    locator = FaceLocator().eval()
    for shape in ((64, 64, 3), (3, 500, 3)):
        assert locator.locate(np.full(shape, 0.5, np.float32)) == []
    assert sum(parameter.numel() for parameter in locator.parameters()) <= 1_200_000


def test_training_scenes_mark_faces_where_they_are() -> None:
    """The drawn face's mouth is red: in a scene it lies below the marked centre, at the marked size."""
    torch.manual_seed(4)
    heads, locator = cutouts()
    scenes = DetectorScenes(heads, locator.fit(torch.view_as_real(heads.points)), None)
    marked = 0
    for _ in range(6):
        frames, heat, shape, weight = scenes.draw(4, 192)
        assert frames.shape == (4, 3, 192, 192)
        assert frames.abs().max() <= 1
        assert (weight > 0).sum() == (heat > 0.6).sum()
        for index, _, row, column in torch.nonzero(heat > 0.99).tolist():
            marked += 1
            dx, dy, radius, cosine, sine = shape[index, :, row, column]
            assert abs(dx) <= 0.5
            assert abs(dy) <= 0.5
            assert 3 < radius.exp() < 70
            assert cosine**2 + sine**2 == pytest.approx(1, abs=1e-5)
    assert marked > 5


def test_crops_come_with_landmarks_on_the_face() -> None:
    torch.manual_seed(1)
    heads, locator = cutouts()
    sampler = FaceCrops(heads, locator.fit(torch.view_as_real(heads.points)), None, margin=2.1)
    crops, points, is_face = sampler.draw(64, 80)
    assert crops.shape == (64, 3, 80, 80)
    faces = is_face > 0
    assert 0.5 < faces.float().mean() < 0.95
    # Near the middle, left eye right of right eye also in mirrored ones, chin below brows.
    assert points[faces].mean(1).abs().max() < 0.75
    assert (points[faces][:, 45, 0] > points[faces][:, 36, 0]).all()
    assert (points[faces][:, 8, 1] > points[faces][:, 19, 1]).all()


def settings_for(folder: Path, **run: object) -> LandmarkSettings:
    """Settings of a short run on drawn faces."""
    return LandmarkSettings(
        resolution=64,
        data=PortraitData((str(folder),)),
        scenes=SceneSettings(frame=64, crops=2),
        run=RunSettings(**{"batch": 2, "pictures": 4, "accelerator": "cpu", "threads": 1, **run}),
    )


def test_training_writes_a_locator_and_goes_on_from_one(tmp_path) -> None:
    write_pairs(tmp_path, people=[40, 600], poses=1, size=64)
    (tmp_path / "hands").mkdir()
    Image.new("RGBA", (20, 30), (200, 150, 120, 255)).save(tmp_path / "hands" / "hand.png")
    settings = settings_for(tmp_path)
    with_others = evolve(settings, scenes=evolve(settings.scenes, others=str(tmp_path / "hands")))
    run_task(LandmarksTask, with_others, tmp_path / "first", Console(quiet=True))
    file = tmp_path / "first" / "locator.safetensors"
    _, _, card = load_weights(file, "locator")
    assert card["measured"][tmp_path.name]["pictures"] == 2
    assert card["cutouts"] == 2
    sheet = Image.open(next((tmp_path / "first" / "sheets").glob("*.png")))
    assert sheet.size == (6 * 64, 64)
    task = LandmarksTask(evolve(settings, start=str(file)), start_fabric(settings.run))
    for name, value in load_locator(file).state_dict().items():
        assert torch.equal(task.locator.state_dict()[name], value), name


def test_faces_without_landmarks_are_refused_before_any_work(tmp_path) -> None:
    draw_face(64, (200, 150, 120), (10, 20, 200)).save(tmp_path / "face.png")
    with pytest.raises(LifelikeError, match="has landmarks"):
        LandmarksTask(settings_for(tmp_path), start_fabric(RunSettings(accelerator="cpu")))
    settings = settings_for(tmp_path)
    with pytest.raises(LifelikeError, match="no PNG"):
        load_others(tmp_path / "nothing")
    with pytest.raises(LifelikeError, match="no file"):
        run_task(LandmarksTask, evolve(settings, start="nowhere/x.safetensors"), tmp_path / "run", Console(quiet=True))


def test_reserved_people_are_never_cut_out(tmp_path) -> None:
    write_pairs(tmp_path, people=[7, 600], poses=1, size=64)
    training, reserved = read_labelled(settings_for(tmp_path))
    assert set(training.person) == {600}
    assert set(reserved[tmp_path.name].person) == {7}


def test_a_photo_has_its_renders_outline_and_is_else_taken_whole(tmp_path) -> None:
    write_pairs(tmp_path, people=[600], poses=1, size=64)
    both = read_portraits(PortraitData((str(tmp_path),)), 64)
    render, photo = outlines(both)
    assert np.array_equal(render, photo)
    assert 0.2 < (render > 127).mean() < 0.7
    assert (outlines(both.select(both.look == "photo")) == 255).all()


def test_the_sheet_shows_true_landmarks_where_they_are(tmp_path) -> None:
    write_pairs(tmp_path, people=[600], poses=1, size=64)
    portraits = read_portraits(PortraitData((str(tmp_path),)), 64)
    drawn = np.asarray(with_landmarks(portraits.pictures[0], [(portraits.landmarks[0], TRUE)]))
    changed = np.argwhere((drawn != portraits.pictures[0]).any(2))[:, ::-1] + 0.5
    distances = np.linalg.norm(changed[:, None] - portraits.landmarks[0][None], axis=2)
    assert distances.min(0).max() < 1.5
    assert distances.min(1).max() < 2.0


def test_one_face_is_learnt_by_heart(tmp_path) -> None:
    """Every term falls within seconds: where the face is, how it lies, its landmarks, and that it is one."""
    write_pairs(tmp_path, people=[600], poses=1, size=64)
    settings = settings_for(tmp_path, batch=4)
    task = LandmarksTask(settings, start_fabric(settings.run))
    values = []
    for step in range(50):
        torch.manual_seed(step)
        values.append({name: float(value) for name, value in task.step(Moment(step, 4 * step, step / 60)).items()})
    for name in ("heat", "shape", "points"):
        first, last = (np.mean([value[name] for value in part]) for part in (values[:5], values[-5:]))
        assert last < 0.75 * first, name


@pytest.fixture(scope="module")
def builtin_locator() -> FaceLocator:
    bundles = pytest.importorskip("lifelike.bundles")
    bundle = bundles.load_bundle("builtin")
    if bundle.locator is None:
        pytest.skip("the built-in bundle has no face locator")
    return bundle.locator


def test_builtin_finds_people_it_was_not_trained_on(builtin_locator, shared_folder) -> None:
    from lifelike.datasets.pairs import load_pairs

    reserved = load_pairs(shared_folder / "heads", 256).reserved()
    errors, found_count = [], 0
    chosen = range(0, len(reserved), 6)
    for index in chosen:
        for picture in (reserved.render[index], reserved.photo[index]):
            found = builtin_locator.locate(picture.astype(np.float32) / 255)
            best = min((landmark_errors(points, reserved.landmarks[index]).mean() for points, _ in found), default=99)
            found_count += best < 25
            errors.append(best)
    assert found_count >= 0.95 * len(errors)
    assert np.median(errors) < 5


def test_builtin_follows_size_place_and_turn(builtin_locator, shared_folder) -> None:
    """One head set small, turned and off-centre into a large plain frame."""
    from lifelike.datasets.pairs import load_pairs

    reserved = load_pairs(shared_folder / "heads", 256).reserved()
    side, place = 200, (700, 90)
    head = Image.fromarray(reserved.photo[0]).resize((side, side), Image.Resampling.LANCZOS)
    corner = tuple(int(level) for level in reserved.photo[0][0, 0])
    canvas = Image.new("RGB", (1200, 800), corner)
    canvas.paste(head, place)
    truth = reserved.landmarks[0] * (side / 256) + place
    found = builtin_locator.locate(np.asarray(canvas, np.float32) / 255)
    assert len(found) == 1
    assert landmark_errors(found[0][0], truth).mean() < 8


def test_builtin_finds_no_face_where_there_is_none(builtin_locator) -> None:
    ramp = np.linspace(0, 1, 300, dtype=np.float32)
    gradient = np.stack([np.tile(ramp, (200, 1)), np.full((200, 300), 0.4), np.tile(ramp[::-1], (200, 1))], 2)
    assert builtin_locator.locate(gradient.astype(np.float32)) == []
