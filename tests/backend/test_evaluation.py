# SPDX-License-Identifier: GPL-3.0-or-later
"""The evaluation's numbers say what they claim, on pictures whose answers are known."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from PIL import Image

from lifelike.datasets.pairs import Pairs, face_masks, load_pairs
from lifelike.evaluation.judges import apply, load_look_classifier, to_pictures, to_portraits
from lifelike.evaluation.landmark_error import inter_ocular, landmark_errors
from lifelike.evaluation.measures import fine_detail, match_colours, psnr
from lifelike.evaluation.recognition import area_under_curve, rank_one, separation
from lifelike.evaluation.report import as_dict, evaluate, next_pose
from lifelike.evaluation.sheet import draw_sheet, pick_rows
from lifelike.networks.identity import IdentityNetwork
from lifelike.networks.look_classifier import LookClassifier
from lifelike.networks.weights import load_weights, save_weights
from lifelike_protocol.errors import ErrorCode, LifelikeError

SIZE = 64


def face_points(size: int = SIZE) -> np.ndarray:
    """68 points laid out roughly as a face: a jaw arc, a brow line, eyes, the rest in the middle."""
    points = np.full((68, 2), size / 2, np.float32)
    jaw = np.linspace(math.pi, 0, 17)
    points[:17] = np.stack([size / 2 + size * 0.35 * np.cos(jaw), size * 0.45 + size * 0.4 * np.sin(jaw)], 1)
    points[17:27] = np.stack([np.linspace(size * 0.2, size * 0.8, 10), np.full(10, size * 0.35)], 1)
    points[36:42] = (size * 0.35, size * 0.45)
    points[42:48] = (size * 0.65, size * 0.45)
    return points


def made_up_pairs(people: int = 4, poses: int = 3) -> Pairs:
    """Noise pictures, one base colour a person, so that people differ and poses resemble each other."""
    random = np.random.default_rng(5)
    who = np.repeat(np.arange(40, 40 + people), poses)
    base = random.integers(40, 200, (people, 1, 1, 3))[who - 40]
    grain = random.integers(-30, 30, (len(who), SIZE, SIZE, 3))
    render = np.clip(base + grain, 0, 255).astype(np.uint8)
    photo = np.clip(render.astype(int) + random.integers(-20, 20, render.shape), 0, 255).astype(np.uint8)
    return Pairs(
        render=render,
        photo=photo,
        landmarks=np.stack([face_points()] * len(who)),
        identity=who.astype(np.int64),
        pose=np.tile(np.arange(poses), people).astype(np.int64),
        yaw=np.zeros(len(who), np.float32),
        attributes=[{} for _ in who],
    )


def test_equal_pictures_have_no_error_and_a_known_error_is_known() -> None:
    picture = np.full((SIZE, SIZE, 3), 100, np.uint8)
    mask = np.full((SIZE, SIZE), 255, np.uint8)
    assert psnr(picture, picture, mask) == math.inf
    assert psnr(picture + 10, picture, mask) == pytest.approx(20 * math.log10(25.5))


def test_psnr_counts_only_inside_the_mask() -> None:
    picture, truth = np.full((SIZE, SIZE, 3), 100, np.uint8), np.full((SIZE, SIZE, 3), 100, np.uint8)
    mask = np.zeros((SIZE, SIZE), np.uint8)
    mask[:10] = 255
    picture[20:] = 0
    assert psnr(picture, truth, mask) == math.inf
    with pytest.raises(ValueError, match="empty"):
        psnr(picture, truth, np.zeros_like(mask))


def test_colour_transfer_undoes_a_tint() -> None:
    random = np.random.default_rng(1)
    truth = random.integers(60, 180, (SIZE, SIZE, 3)).astype(np.uint8)
    tinted = np.rint(truth * np.array([0.6, 0.8, 1.1]) + 12).astype(np.uint8)
    mask = face_masks(face_points()[None], SIZE)[0]
    assert psnr(tinted, truth, mask) < 25
    assert psnr(match_colours(tinted, truth, mask), truth, mask) > 45


def test_a_known_shift_is_a_known_drift() -> None:
    points = face_points()
    assert inter_ocular(points) == pytest.approx(0.3 * SIZE)
    shifted = points + np.array([0.03 * SIZE, 0.0])
    assert landmark_errors(shifted, points) == pytest.approx(np.full(68, 10.0))
    assert landmark_errors(points, points).max() == 0


def test_blur_lowers_fine_detail_and_flat_has_none() -> None:
    random = np.random.default_rng(2)
    sharp = random.integers(0, 255, (128, 128, 3)).astype(np.uint8)
    soft = np.asarray(Image.fromarray(sharp).resize((24, 24)).resize((128, 128)))
    assert fine_detail(soft) < 0.1 * fine_detail(sharp)
    assert fine_detail(np.full((128, 128, 3), 77, np.uint8)) == pytest.approx(0, abs=1e-9)


def test_recognition_numbers() -> None:
    people = np.eye(3, dtype=np.float32)
    who = np.arange(3)
    assert rank_one(people, who, people, who) == 1.0
    assert rank_one(np.roll(people, 1, 0), who, people, who) == 0.0
    assert rank_one(people, who, people, who, np.eye(3, dtype=np.bool_)) == 0.0
    apart = separation(people, who, people, who)
    assert (apart.same, apart.different, apart.roc_auc) == (1.0, 0.0, 1.0)
    assert area_under_curve(np.array([1.0, 1.0]), np.array([1.0, 1.0])) == 0.5
    assert area_under_curve(np.array([1.0, 3.0]), np.array([2.0])) == 0.5


def test_gallery_is_each_persons_next_pose() -> None:
    pairs = made_up_pairs(people=4, poses=3)
    allowed = ~next_pose(pairs.pose, pairs.identity)
    assert (allowed.sum(1) == 4).all()
    for query, entry in zip(*np.nonzero(allowed), strict=True):
        assert pairs.pose[entry] == (pairs.pose[query] + 1) % 3


def test_untouched_inputs_are_recognised_and_do_not_drift() -> None:
    pairs = made_up_pairs()
    torch.manual_seed(0)
    embedder, looks = IdentityNetwork().eval(), LookClassifier().eval()

    def locate(display: np.ndarray) -> list[tuple[np.ndarray, float]]:
        assert display.dtype == np.float32
        assert display.max() <= 1
        return [(face_points(), 1.0)]

    measured = as_dict(evaluate(pairs, pairs.render, {"identity": embedder}, looks, locate))
    assert measured["identity.output_to_input"]["value"] == pytest.approx(1, abs=1e-5)
    assert measured["identity.rank_one_nearest"]["value"] == 1.0
    assert measured["psnr.output"]["value"] == measured["psnr.input"]["value"]
    assert measured["sharpness.output"]["value"] == measured["sharpness.input"]["value"]
    assert measured["drift.output"]["value"] == 0
    assert measured["look.output"]["value"] == measured["look.input"]["value"]
    assert all(number["pictures"] == len(pairs) for number in measured.values())


def test_perfect_outputs_have_endless_psnr() -> None:
    pairs = made_up_pairs()
    measured = as_dict(evaluate(pairs, pairs.photo, {}, None, None))
    assert measured["psnr.output"]["value"] == math.inf
    assert measured["sharpness.output"]["value"] == pytest.approx(1)


def test_lost_faces_are_reported_not_hidden() -> None:
    pairs = made_up_pairs(people=2)
    seen = iter([[(face_points(), 1.0)]] * 6 + [[]] * 5 + [[(face_points() + 0.03 * SIZE, 1.0)]] + [[]] * 6)
    measured = as_dict(evaluate(pairs, pairs.render, {}, None, lambda _: next(seen)))
    assert measured["drift.located"]["value"] == pytest.approx(1 / 6)
    assert measured["drift.output"]["pictures"] == 1
    assert measured["drift.output"]["value"] == pytest.approx(10 * math.sqrt(2), rel=1e-3)


def test_bytes_survive_the_way_to_the_network_and_back() -> None:
    pictures = np.arange(256, dtype=np.uint8).repeat(3).reshape(1, 16, 16, 3)
    assert np.array_equal(to_pictures(to_portraits(pictures)), pictures)


def test_sheet_shows_every_row_at_full_size(tmp_path) -> None:
    pairs = made_up_pairs(people=6)
    chosen = pick_rows(pairs, 6)
    assert len(set(pairs.identity[chosen])) == 6
    assert len(set(pairs.pose[chosen])) == 3
    draw_sheet(pairs, pairs.photo, tmp_path / "sheet.png", rows=6)
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.width >= 6 * 128
        assert sheet.height >= 3 * 128
    assert [file.name for file in tmp_path.iterdir()] == ["sheet.png"]


def test_weights_come_back_and_foreign_files_are_refused(tmp_path) -> None:
    network = LookClassifier({"stem": 8})
    save_weights(tmp_path / "a.safetensors", network, "look_classifier", {"note": 1}, half=True)
    settings, state, card = load_weights(tmp_path / "a.safetensors", "look_classifier")
    assert settings["stem"] == 8
    assert card == {"note": 1}
    assert state["judge.weight"].dtype == torch.float32
    torch.testing.assert_close(state["judge.weight"], network.judge.weight.data, atol=1e-3, rtol=1e-2)
    (tmp_path / "b.safetensors").write_bytes(b"\0" * 40)
    for file, kind in (("a.safetensors", "identity"), ("b.safetensors", "identity"), ("none", "identity")):
        with pytest.raises(LifelikeError) as caught:
            load_weights(tmp_path / file, kind)
        assert caught.value.code is ErrorCode.INVALID_FILE


def test_the_shipped_judge_tells_the_looks_of_unseen_people_apart(shared_folder) -> None:
    reserved = load_pairs(shared_folder / "heads", 128).reserved()
    looks = load_look_classifier()
    photo, render = apply(looks, reserved.photo), apply(looks, reserved.render)
    assert area_under_curve(photo, render) >= 0.99
