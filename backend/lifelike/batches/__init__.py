# SPDX-License-Identifier: GPL-3.0-or-later
"""Many pictures at once: several lanes, each a picture's whole way, so that one decodes while another is computed."""
