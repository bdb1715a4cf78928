# SPDX-License-Identifier: GPL-3.0-or-later
"""The paired U-Net baseline: its settings and its training."""
