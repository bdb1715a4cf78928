# SPDX-License-Identifier: GPL-3.0-or-later
"""What people read of the terms of a result."""

from __future__ import annotations

from lifelike_protocol.messages import Provenance, Settings
from lifelike_protocol.terms import terms_line, terms_text


def made_by(**terms: object) -> Provenance:
    return Provenance("b", "", Settings(), "cpu", {}, **terms)  # type: ignore[arg-type]


def test_a_free_result_has_nothing_to_tell() -> None:
    assert terms_line(made_by(licence="CC0-1.0")) == ""
    assert terms_text(made_by(licence="CC0-1.0")) == ""


def test_a_result_of_non_commercial_weights_says_so_in_one_line() -> None:
    bound = made_by(licence="CC-BY-NC-4.0", non_commercial=True, citation="First\nSecond")
    assert terms_line(bound) == "Non-commercial: CC-BY-NC-4.0"
    assert terms_text(bound).splitlines() == ["Non-commercial: CC-BY-NC-4.0", "Please cite:", "First", "Second"]
    assert "unstated" in terms_line(made_by(non_commercial=True))


def test_whom_to_cite_is_told_without_a_restriction_too() -> None:
    assert terms_text(made_by(citation="A work")) == "Please cite:\nA work"
