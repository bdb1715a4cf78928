# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m lifelike` is the command `lifelike`."""

from lifelike.cli import main

main()
