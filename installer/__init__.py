# SPDX-License-Identifier: GPL-3.0-or-later
"""What install.py does, in rooms of their own. Standard library only, Python 3.10 or newer."""
