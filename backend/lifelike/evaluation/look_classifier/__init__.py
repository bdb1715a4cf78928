# SPDX-License-Identifier: GPL-3.0-or-later
"""The evaluation's judge of looks and its training, `lifelike train look`.

It is trained on other people than it judges and never takes part in training a bundle. Both looks of the set it was
trained on are synthetic: what it calls a photo looks like that set's photo look.
"""
