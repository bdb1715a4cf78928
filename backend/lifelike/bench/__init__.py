# SPDX-License-Identifier: GPL-3.0-or-later
"""How fast everything is on this machine: `lifelike bench`."""
