# SPDX-License-Identifier: GPL-3.0-or-later
"""Data sets: reading them (`dataset.open_dataset`), making them from loose pictures and from scenes."""
