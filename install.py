#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sets Lifelike up; `python3 install.py --help` tells how. Standard library only.

This file is kept readable for old Pythons, so that they get a sentence instead of a syntax error.
"""

import sys

OLDEST = (3, 10)

if __name__ == "__main__":
    if sys.version_info < OLDEST:
        sys.exit(
            "Lifelike needs Python %d.%d or newer, and this is %d.%d: run install.py with a newer one."  # noqa: UP031
            % (OLDEST + sys.version_info[:2])
        )
    from installer.command_line import main

    sys.exit(main())
