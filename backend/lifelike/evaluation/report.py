# SPDX-License-Identifier: GPL-3.0-or-later
"""Every number about a set of outputs, given the inputs, the truths and the judges.

All pictures are of synthetic heads. The figures say how well the change of look works on this set's held-back people,
not how a photograph of a person would fare.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from lifelike.evaluation.measures import fine_detail, match_colours, psnr
from numpy.typing import NDArray

from lifelike.datasets.pairs import Pairs, face_masks
from lifelike.evaluation.judges import apply
from lifelike.evaluation.landmark_error import landmark_errors
from lifelike.evaluation.recognition import rank_one, separation
from lifelike.networks.identity import IdentityNetwork
from lifelike.networks.look_classifier import LookClassifier

Locate = Callable[[NDArray[np.float32]], list[tuple[NDArray[np.float32], float]]]


@dataclass(frozen=True)
class Measured:
    """One number.

    name: dotted, e.g. ``identity.output_to_input``. value: the number. pictures: how many it is measured on.
    meaning: one line for a person.
    """

    name: str
    value: float
    pictures: int
    meaning: str


def evaluate(
    pairs: Pairs,
    outputs: NDArray[np.uint8],
    embedders: dict[str, IdentityNetwork],
    looks: LookClassifier | None,
    locate: Locate | None,
) -> list[Measured]:
    """Measure outputs (N, R, R, 3) made from ``pairs.render`` against ``pairs.photo``.

    Args:
        embedders: identity networks by name, each measured on its own.
        looks: the judge of looks, or None to leave that out.
        locate: frame → landmarks, as `FaceLocator.locate`, or None to leave out the drift.
    """
    measured: list[Measured] = []
    for name, embedder in embedders.items():
        measured += measure_identity(pairs, outputs, embedder, name)
    if looks is not None:
        measured += measure_look(pairs, outputs, looks)
    measured += measure_closeness(pairs, outputs)
    if locate is not None:
        measured += measure_drift(pairs, outputs, locate)
    return measured


def measure_identity(pairs: Pairs, outputs: NDArray[np.uint8], embedder: IdentityNetwork, name: str) -> list[Measured]:
    """Similarity of output and input beside that of different people; rank-1 identification of the outputs."""
    inputs, truths, made = (apply(embedder, pictures) for pictures in (pairs.render, pairs.photo, outputs))
    who, pose, count = pairs.identity, pairs.pose, len(pairs)
    people = len(np.unique(who))
    itself = np.eye(count, dtype=np.bool_)
    against_inputs = separation(made, who, inputs, who, itself)
    not_next_pose = next_pose(pose, who)
    across = f"gallery: the {people} inputs, one a person, in the next pose"
    rows = [
        ("output_to_input", float((made * inputs).sum(1).mean()), "mean cosine of output and its own input"),
        ("truth_to_input", float((truths * inputs).sum(1).mean()), "the same for the photo-look truth"),
        ("different_people", against_inputs.different, "mean cosine of output and other people's inputs"),
        ("same_person_other_pose", against_inputs.same, "mean cosine of output and the same person's other inputs"),
        ("roc_auc_other_pose", against_inputs.roc_auc, "chance that same person's other pose beats a stranger"),
        ("rank_one_nearest", rank_one(made, who, inputs, who), f"nearest of all {count} inputs is the same person"),
        ("rank_one_other_pose", rank_one(made, who, inputs, who, not_next_pose), across),
        (
            "rank_one_other_pose_input",
            rank_one(inputs, who, inputs, who, not_next_pose),
            "the same, asked with the input",
        ),
        (
            "rank_one_other_pose_truth",
            rank_one(truths, who, inputs, who, not_next_pose),
            "the same, asked with the truth",
        ),
    ]
    return [Measured(f"{name}.{key}", value, count, meaning) for key, value, meaning in rows]


def next_pose(pose: NDArray[np.int64], who: NDArray[np.int64]) -> NDArray[np.bool_]:
    """(N, N) true where a gallery entry may not be chosen: only each person's next pose after the query's stays.

    Poses are taken in a circle, so every pose of the set serves as gallery equally often. A person without that pose
    stands with the pose after it.
    """
    excluded = np.ones((len(pose), len(pose)), np.bool_)
    poses = np.unique(pose)
    for query, own in enumerate(pose):
        after = np.roll(poses, -int(np.searchsorted(poses, own)) - 1)[:-1]
        for person in np.unique(who):
            for wanted in after:
                entries = np.flatnonzero((who == person) & (pose == wanted))
                if len(entries):
                    excluded[query, entries[0]] = False
                    break
    return excluded


def measure_look(pairs: Pairs, outputs: NDArray[np.uint8], looks: LookClassifier) -> list[Measured]:
    """Share of pictures the separately trained classifier calls photo."""
    count = len(pairs)
    sets = {"output": outputs, "input": pairs.render, "truth": pairs.photo}
    shares = {key: float(np.mean(apply(looks, pictures) > 0)) for key, pictures in sets.items()}
    return [Measured(f"look.{key}", share, count, f"share of {key}s called photo") for key, share in shares.items()]


def measure_closeness(pairs: Pairs, outputs: NDArray[np.uint8]) -> list[Measured]:
    """PSNR over the face polygon (jaw and brows) to the truth, and fine detail beside the truth's."""
    masks = face_masks(pairs.landmarks, pairs.resolution)
    triples = list(zip(pairs.render, outputs, pairs.photo, masks, strict=True))
    sums = {
        "input": [psnr(before, truth, mask) for before, _, truth, mask in triples],
        "colour_transfer": [
            psnr(match_colours(before, truth, mask), truth, mask) for before, _, truth, mask in triples
        ],
        "output": [psnr(after, truth, mask) for _, after, truth, mask in triples],
    }
    meanings = {
        "input": "dB over the face, untouched input to truth",
        "colour_transfer": "the same after matching each channel's mean and spread to the truth",
        "output": "the same for the output",
    }
    rows = [Measured(f"psnr.{key}", float(np.mean(values)), len(pairs), meanings[key]) for key, values in sums.items()]
    truths = np.array([fine_detail(picture) for picture in pairs.photo])
    for key, pictures in (("output", outputs), ("input", pairs.render)):
        ratio = float(np.median(np.array([fine_detail(picture) for picture in pictures]) / np.maximum(truths, 1e-12)))
        meaning = f"energy above a quarter of Nyquist, {key} over truth, median"
        rows.append(Measured(f"sharpness.{key}", ratio, len(pairs), meaning))
    return rows


def measure_drift(pairs: Pairs, outputs: NDArray[np.uint8], locate: Locate) -> list[Measured]:
    """How far the located landmarks move from input to output, in percent of the inter-ocular distance."""

    def first_face(picture: NDArray[np.uint8]) -> NDArray[np.float32] | None:
        found = locate(picture.astype(np.float32) / np.float32(255))
        return found[0][0] if found else None

    before, after, truth = ([first_face(p) for p in group] for group in (pairs.render, outputs, pairs.photo))

    drifts, floor = drift_between(before, after), drift_between(before, truth)
    known = drift_between(list(pairs.landmarks), before)
    located = sum(points is not None for points in after) / len(pairs)
    rows = [
        (
            "output",
            _median(drifts),
            len(drifts),
            "% of inter-ocular distance, output to input, median of pictures",
        ),
        ("truth", _median(floor), len(floor), "the same for the truth: what the locator itself wavers between looks"),
        ("input_error", _median(known), len(known), "the locator's error on the inputs, same unit"),
        ("located", located, len(pairs), "share of outputs in which a face was located"),
    ]
    return [Measured(f"drift.{key}", value, count, meaning) for key, value, count, meaning in rows]


def drift_between(
    still: Sequence[NDArray[np.float32] | None], moved: Sequence[NDArray[np.float32] | None]
) -> NDArray[np.float64]:
    """Mean landmark error of each picture in which both were found, in percent of the inter-ocular distance."""
    both = [(a, b) for a, b in zip(still, moved, strict=True) if a is not None and b is not None]
    return np.array([landmark_errors(b, a).mean() for a, b in both], np.float64)


def _median(values: NDArray[np.float64]) -> float:
    return float(np.median(values)) if len(values) else float("nan")


def as_dict(measured: list[Measured]) -> dict[str, dict[str, float | int | str]]:
    """For JSON: name → value, pictures, meaning."""
    return {m.name: {key: value for key, value in asdict(m).items() if key != "name"} for m in measured}
