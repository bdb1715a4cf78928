# SPDX-License-Identifier: GPL-3.0-or-later
"""The precision is measured, remembered, and refused where it would be slower."""

from __future__ import annotations

from pathlib import Path

import pytest

from lifelike.execution import probe
from lifelike.execution.precision import Precision
from lifelike.execution.probe import bf16_gain, choose_precision
from lifelike.worker import Worker
from lifelike_protocol.errors import ErrorCode, LifelikeError


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LIFELIKE_HOME", str(tmp_path))
    return tmp_path


def test_gain_is_measured_once_and_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    measured = bf16_gain(None)
    assert measured > 0.0

    def again(kernels: object) -> float:
        raise AssertionError("measured again")

    monkeypatch.setattr(probe, "_measure", again)
    assert bf16_gain(None) == measured


@pytest.mark.parametrize("content", ["{", "[1]", '{"a": "b"}', ""])
def test_broken_memory_is_measured_anew(home: Path, content: str) -> None:
    file = home / "cache" / "precision.json"
    file.parent.mkdir(parents=True)
    file.write_text(content)
    assert bf16_gain(None) > 0.0


@pytest.mark.parametrize(("gain", "chosen"), [(2.0, Precision.BF16), (1.05, Precision.FP32), (0.3, Precision.FP32)])
def test_auto_takes_bf16_only_where_it_pays(monkeypatch: pytest.MonkeyPatch, gain: float, chosen: Precision) -> None:
    monkeypatch.setattr(probe, "_measure", lambda kernels: gain)
    assert choose_precision(Precision.AUTO, "cpu", None) is chosen
    assert choose_precision(Precision.FP32, "cpu", None) is Precision.FP32


def test_what_is_slower_here_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "_measure", lambda kernels: 0.3)
    for wish in (Precision.BF16, Precision.FP16):
        with pytest.raises(LifelikeError) as caught:
            choose_precision(wish, "cpu", None)
        assert caught.value.code is ErrorCode.INVALID_SETTING


def test_worker_refuses_before_any_work() -> None:
    with pytest.raises(LifelikeError, match="fp16"):
        Worker("cpu", Precision.FP16)
