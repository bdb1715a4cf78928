# SPDX-License-Identifier: GPL-3.0-or-later
"""Step three of the method: a render's portrait becomes a latent of G_render, in one pass or looked for longer."""

from lifelike.inversion.one_pass import invert
from lifelike.inversion.refinement import refine
from lifelike.inversion.tuning import WeightChange, tune

__all__ = ["WeightChange", "invert", "refine", "tune"]
