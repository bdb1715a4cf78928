# SPDX-License-Identifier: GPL-3.0-or-later
"""Who judges: put together once from the bundle, files and caches, then used for as many evaluations as wanted."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from attrs import field, frozen

from lifelike.bundles.bundle import Bundle
from lifelike.evaluation.embedder import Embedder, bundle_embedder, second_embedder
from lifelike.evaluation.judges import Answer, load_look_classifier
from lifelike.evaluation.judging.distribution import Distribution
from lifelike.evaluation.judging.drift import Drift, Locator
from lifelike.evaluation.judging.identity import Identity
from lifelike.evaluation.judging.judge import Judge
from lifelike.evaluation.judging.look import Look
from lifelike.evaluation.judging.nearness import Nearness
from lifelike.evaluation.judging.perceptual import Perceptual
from lifelike.evaluation.judging.sharpness import Sharpness
from lifelike.evaluation.named_embedder import load_embedder
from lifelike.evaluation.public_weights import INCEPTION, VGG16, find_weights
from lifelike.evaluation.report import Missing
from lifelike.hashing import file_sha256


@frozen(eq=False)
class Panel:
    """Everything that can judge; what is None leaves its measures out.

    missing: what could not be had, and why. described: one line a judge, for the provenance.
    """

    embedders: tuple[Embedder, ...] = ()
    looks: Answer | None = None
    locator: Locator | None = None
    lpips: Path | None = None
    inception: Path | None = None
    missing: tuple[Missing, ...] = ()
    described: tuple[str, ...] = field(default=())

    def judges(self, with_truth: bool) -> list[Judge]:
        """Fresh judges for one evaluation; without truths, those that need none."""
        judges: list[Judge] = [Identity(embedder) for embedder in self.embedders]
        if self.looks is not None:
            judges.append(Look(self.looks))
        if with_truth:
            judges.append(Nearness())
            if self.lpips is not None:
                judges.append(Perceptual(self.lpips))
        judges.append(Sharpness(with_truth))
        if self.locator is not None:
            judges.append(Drift(self.locator))
        if with_truth and self.inception is not None:
            judges.append(Distribution(self.inception))
        return judges


def assemble_panel(
    bundle: Bundle,
    embedders: Sequence[str] = (),
    lpips: Path | None = None,
    inception: Path | None = None,
    allow_downloads: bool = False,
) -> Panel:
    """Every judge there is for a bundle: its own networks, the shipped ones, and those named.

    Args:
        embedders: as `named_embedder.load_embedder` takes them.
        lpips, inception: files of public weights; else they are looked for.
        allow_downloads: whether those may be fetched.

    Raises:
        LifelikeError: INVALID_FILE or INVALID_SETTING for a named file that cannot be used.
    """
    missing: list[Missing] = []
    described: list[str] = []
    own, second = bundle_embedder(bundle), second_embedder()
    if own is None:
        missing.append(
            Missing(
                "identity by the bundle's own network",
                "The bundle has no identity network.",
                "Give another one with --embedder FILE.",
            )
        )
    if second is None:
        missing.append(
            Missing(
                "identity by the second network",
                "second_identity.safetensors is not installed with this package.",
                "Give another one with --embedder FILE.",
            )
        )
    named = [load_embedder(text, number + 1) for number, text in enumerate(embedders)]
    all_embedders = tuple(embedder for embedder in (own, second, *named) if embedder is not None)
    described += [f"{embedder.title}: {embedder.meaning}" for embedder in all_embedders]
    if bundle.locator is None:
        missing.append(
            Missing("landmark drift", "The bundle has no landmark network.", "Choose a bundle that has one.")
        )
    files: dict[str, Path | None] = {}
    for weights, given in ((VGG16, lpips), (INCEPTION, inception)):
        found = find_weights(weights, given, allow_downloads)
        files[weights.name] = found if isinstance(found, Path) else None
        if isinstance(found, Missing):
            missing.append(found)
        else:
            described.append(f"{weights.needed_for}: {found.name}, SHA-256 {file_sha256(found)[:12]}")
    described.append("look classifier: shipped with the evaluation, trained apart from every bundle")
    return Panel(
        embedders=all_embedders,
        looks=load_look_classifier(),
        locator=bundle.locator,
        lpips=files[VGG16.name],
        inception=files[INCEPTION.name],
        missing=tuple(missing),
        described=tuple(described),
    )
