# SPDX-License-Identifier: GPL-3.0-or-later
"""Sources in C++ of what is compiled on the machine it runs on, and the functions in them."""
