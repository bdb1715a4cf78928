# SPDX-License-Identifier: GPL-3.0-or-later
"""Bundles: a generator pair with its encoder, identity and landmark networks, and a card."""

from lifelike.bundles.bundle import Bundle, read_bundle
from lifelike.bundles.card import BundleCard
from lifelike.bundles.file import read_card
from lifelike.bundles.registry import BUILTIN, find_bundle, list_bundles, load_bundle

__all__ = ["BUILTIN", "Bundle", "BundleCard", "find_bundle", "list_bundles", "load_bundle", "read_bundle", "read_card"]
