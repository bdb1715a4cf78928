# SPDX-License-Identifier: GPL-3.0-or-later
"""What an evaluation found: plain values, ready for a page, a table or JSON (`docs/evaluation.md` has the schema)."""

from __future__ import annotations

from typing import Any

from attrs import field, frozen

FORMAT = "lifelike-evaluation-1"
"""Goes up when a reader of the JSON would have to change."""

HIGHER, LOWER, NEAR_ONE, NEUTRAL = "higher", "lower", "one", ""
"""Which values of a measure are the better ones."""


@frozen
class Measure:
    """A kind of number.

    key: dotted, e.g. ``bundle.cosine``. title: a few words. unit: "dB", "%", or "".
    better: HIGHER, LOWER, NEAR_ONE or NEUTRAL.
    meaning: one sentence. source: where the measure comes from. digits: decimals to show.
    judge: the identity network that says so, and what is to be known of it; "" for other measures.
    """

    key: str
    title: str
    better: str
    meaning: str
    source: str
    unit: str = ""
    digits: int = 3
    judge: str = ""
    judge_note: str = ""


@frozen
class Subject:
    """Something measured: the bundle's way to apply itself, a baseline, the untouched input, the truth.

    role: "bundle" (what a user gets), "baseline", or "reference" (input, truth, steps of the bundle on their own).
    """

    key: str
    title: str
    role: str
    meaning: str


@frozen
class Figure:
    """One number with its 95 % interval (None where none is given: see the measure), and how much it rests on."""

    subject: str
    measure: str
    value: float | None
    low: float | None
    high: float | None
    pictures: int
    people: int


@frozen
class GroupFigure:
    """A figure over some of the people: ``division`` such as "gender", ``group`` such as "women"."""

    division: str
    group: str
    figure: Figure


@frozen
class Gap:
    """How far the worst group of a division lies behind the average of all, as a share of that average.

    Of a measure that should be 1: how much further from 1 the group is. Zero or less: no group is behind.
    """

    subject: str
    measure: str
    division: str
    group: str
    shortfall: float
    low: float | None
    high: float | None


@frozen
class Comparison:
    """A subject less another in one measure, on the same pictures; positive: the subject's value is higher.

    share: the subject's gain over the untouched input, divided by the other's gain; None where that says nothing.
    """

    subject: str
    against: str
    measure: str
    difference: float
    low: float | None
    high: float | None
    share: float | None = None
    share_low: float | None = None
    share_high: float | None = None


@frozen
class Spectrum:
    """Mean spectral energy of the inner face's luma by frequency, each ring's; frequencies in shares of Nyquist."""

    subject: str
    frequencies: tuple[float, ...]
    energy: tuple[float, ...]


@frozen
class Histogram:
    """Cosines of an embedder between a subject's pictures and the inputs, of one person and of different people.

    edges: K + 1 cosines; same, different: K shares, each adding up to 1.
    """

    embedder: str
    subject: str
    edges: tuple[float, ...]
    same: tuple[float, ...]
    different: tuple[float, ...]


@frozen
class Missing:
    """A number that could not be had, why, and what would give it. needs_truth: renders alone never have it."""

    title: str
    why: str
    remedy: str
    needs_truth: bool = False


@frozen
class PictureValues:
    """Every picture's own values: ``values[measure][subject]`` in the order of ``names``; None where there is none."""

    names: tuple[str, ...]
    people: tuple[int, ...]
    values: dict[str, dict[str, list[float | None]]]


@frozen
class Provenance:
    """What was measured with what: enough to do it again."""

    bundle: str
    sha256: str
    method: str
    strength: float
    resolution: int
    data: tuple[dict[str, Any], ...]
    identities: str
    pictures: int
    people: int
    seed: int
    resamples: int
    judges: tuple[str, ...]
    versions: dict[str, str]
    command: str = ""
    date: str = ""


@frozen
class Report:
    """All of it. ``main`` is the key of the subject that a user of the bundle gets."""

    provenance: Provenance
    main: str
    subjects: tuple[Subject, ...]
    measures: tuple[Measure, ...]
    figures: tuple[Figure, ...]
    groups: tuple[GroupFigure, ...] = ()
    gaps: tuple[Gap, ...] = ()
    comparisons: tuple[Comparison, ...] = ()
    spectra: tuple[Spectrum, ...] = ()
    histograms: tuple[Histogram, ...] = ()
    missing: tuple[Missing, ...] = ()
    pictures: PictureValues = field(factory=lambda: PictureValues((), (), {}))
    format: str = FORMAT

    def figure(self, measure: str, subject: str | None = None) -> Figure:
        """One figure, of the main subject unless another is named.

        Raises:
            KeyError: when it was not measured.
        """
        wanted = (self.main if subject is None else subject, measure)
        for figure in self.figures:
            if (figure.subject, figure.measure) == wanted:
                return figure
        raise KeyError(wanted)

    def has(self, measure: str, subject: str | None = None) -> bool:
        """Whether a figure was measured."""
        wanted = (self.main if subject is None else subject, measure)
        return any((figure.subject, figure.measure) == wanted for figure in self.figures)
