# SPDX-License-Identifier: GPL-3.0-or-later
"""Fine detail beside the truth's, or beside the input's where no truth is known."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lifelike.evaluation.judging.judge import PictureJudge, Shown, Values, Verdict
from lifelike.evaluation.material import INPUT, TRUTH, Batch, Material, Pictures
from lifelike.evaluation.report import NEAR_ONE, NEUTRAL, Measure, Spectrum
from lifelike.evaluation.spectrum import FINE, power_spectrum, ring_sums

RINGS = 32


class Sharpness(PictureJudge):
    """Ratio of the energy above a quarter of Nyquist, and the whole spectrum.

    Args:
        with_truth: beside the truth; otherwise beside the input.
    """

    def __init__(self, with_truth: bool) -> None:
        super().__init__()
        self.beside = TRUTH if with_truth else INPUT
        key, other = ("sharpness", "truth") if with_truth else ("detail_kept", "input")
        self.measures = (
            Measure(
                key,
                f"sharpness beside the {other}",
                NEAR_ONE if with_truth else NEUTRAL,
                f"Spectral energy of the inner face above a quarter of Nyquist, as a ratio to the {other}'s; "
                "median of the pictures. Noise counts as detail.",
                "reconstructed; cf. the spectra of Durall et al. 2020",
                digits=2,
            ),
        )
        self.medians = frozenset({key})
        self._rings: dict[str, NDArray[np.float64]] = {}
        self._seen = 0
        self._wanted: NDArray[np.float64] = np.empty(0)

    def see(self, batch: Batch, shown: Shown) -> None:
        self._seen += len(batch)
        self._wanted = np.array([self._fine(self.beside, picture) for picture in shown[self.beside]])
        super().see(batch, {key: pictures for key, pictures in shown.items() if key != self.beside})

    def measure(self, batch: Batch, subject: str, pictures: Pictures, shown: Shown) -> dict[str, Values]:
        own = np.array([self._fine(subject, picture) for picture in pictures])
        with np.errstate(invalid="ignore", divide="ignore"):
            return {self.measures[0].key: np.where(self._wanted > 0, own / self._wanted, np.nan)}

    def verdict(self, material: Material) -> Verdict:
        found = super().verdict(material)
        frequencies = tuple(((np.arange(RINGS) + 0.5) / RINGS).tolist())
        spectra = [Spectrum(key, frequencies, tuple((s / self._seen).tolist())) for key, s in self._rings.items()]
        return Verdict(found.statistics, found.values, spectra=tuple(spectra))

    def _fine(self, subject: str, picture: NDArray[np.uint8]) -> float:
        """A picture's energy above a quarter of Nyquist; its spectrum is added to the subject's."""
        energy, frequency = power_spectrum(picture)
        self._rings[subject] = self._rings.get(subject, np.zeros(RINGS)) + ring_sums(energy, frequency, RINGS)
        return float(energy[frequency > FINE].sum())
