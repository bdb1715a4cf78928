# SPDX-License-Identifier: GPL-3.0-or-later
"""A portrait bust made from numbers: forms, chart, skin, features, hair and stage of the example avatar."""
