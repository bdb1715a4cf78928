# SPDX-License-Identifier: GPL-3.0-or-later
"""`lifelike ablate`: the same small experiment with one thing changed at a time."""
