# SPDX-License-Identifier: GPL-3.0-or-later
"""One file for each command of `lifelike`. What is slow to import is imported when a command needs it."""
