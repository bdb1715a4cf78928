# SPDX-License-Identifier: GPL-3.0-or-later
"""Each measure says what it claims, on pictures whose answers are known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from PIL import Image
from skimage.metrics import structural_similarity

from lifelike.datasets.pairs import face_masks
from lifelike.evaluation.baselines.colour_transfer import ColourTransfer, colour_statistics, match_colours
from lifelike.evaluation.closeness import psnr, ssim
from lifelike.evaluation.judges import apply, load_look_classifier, to_pictures, to_portraits
from lifelike.evaluation.judging.drift import Drift
from lifelike.evaluation.judging.sharpness import Sharpness
from lifelike.evaluation.landmark_error import inter_ocular, landmark_errors
from lifelike.evaluation.material import material_of_pairs
from lifelike.evaluation.recognition import area_under_curve
from lifelike.evaluation.spectrum import fine_detail, power_spectrum, ring_sums
from made_up_people import SIZE, face_points, people_in_pairs

WHOLE = np.full((SIZE, SIZE), 255, np.uint8)


def noise(seed: int = 1, size: int = SIZE) -> np.ndarray:
    return np.random.default_rng(seed).integers(60, 180, (size, size, 3)).astype(np.uint8)


def test_equal_pictures_have_no_error_and_a_known_error_is_known() -> None:
    picture = np.full((SIZE, SIZE, 3), 100, np.uint8)
    assert psnr(picture, picture, WHOLE) == math.inf
    assert psnr(picture + 10, picture, WHOLE) == pytest.approx(20 * math.log10(25.5))


def test_psnr_counts_only_inside_the_mask() -> None:
    picture, truth = np.full((SIZE, SIZE, 3), 100, np.uint8), np.full((SIZE, SIZE, 3), 100, np.uint8)
    mask = np.zeros((SIZE, SIZE), np.uint8)
    mask[:10] = 255
    picture[20:] = 0
    assert psnr(picture, truth, mask) == math.inf
    with pytest.raises(ValueError, match="empty"):
        psnr(picture, truth, np.zeros_like(mask))


def test_ssim_over_everything_is_scikit_images() -> None:
    picture, truth = noise(1), noise(2)
    options = {"data_range": 255, "channel_axis": 2, "gaussian_weights": True, "use_sample_covariance": False}
    _, everywhere = structural_similarity(picture, truth, full=True, **options)
    assert ssim(picture, truth, WHOLE) == pytest.approx(everywhere.mean())
    assert ssim(truth, truth, WHOLE) == pytest.approx(1.0)
    mask = np.zeros_like(WHOLE)
    mask[20:30, 20:30] = 255
    assert ssim(picture, truth, mask) == pytest.approx(everywhere[20:30, 20:30].mean())


def test_colour_transfer_undoes_a_tint() -> None:
    truth = noise()
    tinted = np.rint(truth * np.array([0.6, 0.8, 1.1]) + 12).astype(np.uint8)
    mask = face_masks(face_points()[None], SIZE)[0]
    assert psnr(tinted, truth, mask) < 25
    assert psnr(match_colours(tinted, truth, mask), truth, mask) > 45


def test_colours_of_the_training_pairs_are_learnt_and_given() -> None:
    pairs = people_in_pairs(people=6)
    pairs.photo[...] = np.clip(np.rint(pairs.render * 0.8 + 20), 0, 255)
    statistics = colour_statistics(pairs, pairs.identity != 40)
    assert statistics.gain == pytest.approx(np.full(3, 0.8), abs=0.01)
    assert statistics.offset == pytest.approx(np.full(3, 20.0), abs=1.0)
    baseline = ColourTransfer(statistics)
    batch = next(material_of_pairs(pairs, pairs.identity == 40).batches(8))
    made = baseline.make(batch)
    assert set(made) == {subject.key for subject in baseline.subjects}
    assert psnr(made["colour_change"][0], batch.truths[0], batch.masks[0]) > 45
    inside = batch.masks[0] > 0
    assert made["colour_mean"][0][inside].mean(0) == pytest.approx(statistics.mean, abs=2.0)
    assert [subject.key for subject in ColourTransfer(None).subjects] == ["colour_oracle"]


def test_a_known_shift_is_a_known_drift() -> None:
    points = face_points()
    assert inter_ocular(points) == pytest.approx(0.3 * SIZE)
    shifted = points + np.array([0.03 * SIZE, 0.0])
    assert landmark_errors(shifted, points) == pytest.approx(np.full(68, 10.0))
    assert landmark_errors(points, points).max() == 0


class WhereThePictureSays:
    """A locator that reads the face's shift from the picture's first pixel, in hundredths of the side."""

    def locate(self, display: np.ndarray) -> list[tuple[np.ndarray, float]]:
        shift = round(float(display[0, 0, 0]) * 255)
        return [] if shift == 99 else [(face_points() + np.array([shift * SIZE / 100, 0], np.float32), 1.0)]

    def landmarks_near(self, display: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
        return self.locate(display)[0][0]


@pytest.mark.parametrize("known", [True, False])
def test_drift_is_measured_from_the_input_and_error_from_the_known_landmarks(known: bool) -> None:
    pairs = people_in_pairs(people=2)
    pairs.render[:, 0, 0], pairs.photo[:, 0, 0] = 1, 4
    if not known:
        pairs.landmarks[...] = np.nan
        pairs.photo[0, 0, 0] = 99  # where no face is found, there is no drift
    material = material_of_pairs(pairs)
    judge = Drift(WhereThePictureSays())
    for batch in material.batches(4):
        judge.see(batch, {"input": batch.inputs, "truth": batch.truths})
    verdict = judge.verdict(material)
    everybody = np.ones((1, 2))
    assert verdict.statistics["drift", "truth"].of(everybody)[0] == pytest.approx(10.0, rel=1e-4)
    assert ("drift", "input") not in verdict.statistics
    if known:
        assert verdict.statistics["landmark_error", "truth"].of(everybody)[0] == pytest.approx(100 * 0.04 / 0.3)
    else:
        assert verdict.statistics["drift", "truth"].count(everybody) == len(pairs) - 1
        assert np.isnan(verdict.values["drift"]["truth"][0])


def test_blur_lowers_fine_detail_and_flat_has_none() -> None:
    sharp = noise(2, 128)
    soft = np.asarray(Image.fromarray(sharp).resize((24, 24)).resize((128, 128)))
    assert fine_detail(soft) < 0.1 * fine_detail(sharp)
    assert fine_detail(np.full((128, 128, 3), 77, np.uint8)) == pytest.approx(0, abs=1e-9)


def test_a_wave_stands_in_the_ring_of_its_frequency() -> None:
    wave = 128 + 60 * np.sin(np.arange(128) * np.pi * 0.5)  # half of Nyquist
    picture = np.repeat(np.broadcast_to(wave, (128, 128))[..., None], 3, 2).astype(np.uint8)
    rings = ring_sums(*power_spectrum(picture), 8)
    assert rings[3:5].sum() > 0.95 * rings.sum()


def test_sharpness_is_the_ratio_to_the_truth() -> None:
    pairs = people_in_pairs(people=2)
    pairs.photo[...] = np.clip((pairs.render.astype(np.int64) - 128) // 2 + 128, 0, 255)
    material = material_of_pairs(pairs)
    judge = Sharpness(with_truth=True)
    for batch in material.batches(4):
        judge.see(batch, {"input": batch.inputs, "truth": batch.truths, "same": batch.truths})
    verdict = judge.verdict(material)
    everybody = np.ones((1, 2))
    assert verdict.statistics["sharpness", "same"].of(everybody)[0] == pytest.approx(1.0)
    assert verdict.statistics["sharpness", "input"].of(everybody)[0] == pytest.approx(4.0, rel=0.05)
    energies = {spectrum.subject: sum(spectrum.energy) for spectrum in verdict.spectra}
    assert energies["input"] == pytest.approx(4 * energies["truth"], rel=0.1)


def test_bytes_survive_the_way_to_the_network_and_back() -> None:
    pictures = np.arange(256, dtype=np.uint8).repeat(3).reshape(1, 16, 16, 3)
    assert np.array_equal(to_pictures(to_portraits(pictures)), pictures)


def test_the_shipped_judge_tells_the_looks_of_unseen_people_apart(shared_folder) -> None:
    from lifelike.datasets.pairs import load_pairs

    reserved = load_pairs(shared_folder / "heads", 128).reserved()
    looks = load_look_classifier()
    photo, render = apply(looks, reserved.photo), apply(looks, reserved.render)
    assert area_under_curve(photo, render) >= 0.99
