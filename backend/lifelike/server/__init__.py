# SPDX-License-Identifier: GPL-3.0-or-later
"""The inference server: one thread speaks with clients, one works."""
