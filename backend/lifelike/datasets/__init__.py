# SPDX-License-Identifier: GPL-3.0-or-later
"""Data sets: reading them, making them from loose pictures and from scenes."""

from lifelike.datasets.dataset import DataSet, open_dataset
from lifelike.datasets.pictures import Pictures
from lifelike.datasets.record import Problem, Record

__all__ = ["DataSet", "Pictures", "Problem", "Record", "open_dataset"]
