# SPDX-License-Identifier: GPL-3.0-or-later
"""The training's loss terms, a file for each family, each term a small function with its formula and source.

Pictures are [N3RR] float32, −1…1. Every term is a scalar unless it says otherwise; weights belong to the tasks.
"""
