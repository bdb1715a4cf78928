# SPDX-License-Identifier: GPL-3.0-or-later
"""One file for each kind of judgement; `panel.py` says who judges."""
