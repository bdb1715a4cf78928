# SPDX-License-Identifier: GPL-3.0-or-later
"""Weights that others published: read without running anything in their files, and told in this project's own keys.

container → values and stored tensors → layout → tensors under our names
restricted_pickle, torch_file, safetensors_file    nvidia_torch, nvidia_tensorflow, rosinality, e4e, arcface, own
"""

from lifelike.importing.detection import read_foreign
from lifelike.importing.found import Found

__all__ = ["Found", "read_foreign"]
