# SPDX-License-Identifier: GPL-3.0-or-later
"""Weights that others have published: what there is, under which terms, and how it comes here whole."""
