# SPDX-License-Identifier: GPL-3.0-or-later
"""A real run on tiny networks, beside a reference that is one in all but size; and what is refused."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from lifelike.bench.clock import Clock, take_turns
from lifelike.bench.command import Part, Wish, carry_out
from lifelike.bench.contestants import Way, encoder_subject, generator_subject, random_bundle
from lifelike.bench.memory import measure_memory
from lifelike.bench.network_timings import time_network
from lifelike.bench.peak import count_operations, highest, measure_peaks
from lifelike.bench.reference import Reference, deviation
from lifelike.bench.starts import measure_starts
from lifelike.imaging.files import write_picture
from lifelike.networks.encoder import EncoderSettings
from lifelike.networks.stylegan2 import GeneratorSettings
from lifelike_protocol.errors import ErrorCode, LifelikeError
from lifelike_protocol.messages import Encoding
from running_backend import START_SECONDS, environment
from small_bundle import small_bundle

GENERATOR = GeneratorSettings(64, channel_base=512, channel_max=16, z_dim=16, w_dim=16, mapping_layers=2)
ENCODER = EncoderSettings(64, 1, GENERATOR.num_ws, 16, 8, 16, 8, (16,), (16,))

# What a clone of the reference has that is asked for, with ours as the network: then both must agree to the last bit.
REFERENCE = {
    "torch_utils/ops/conv2d_gradfix.py": "enabled = True",
    "torch_utils/ops/grid_sample_gradfix.py": "enabled = True",
    "training/networks.py": """
import sys
print("chatter on standard output")
assert not any(name.startswith("lifelike") for name in sys.modules), "our modules are here"
sys.path += {paths!r}
from lifelike.networks.stylegan2 import GeneratorSettings, SynthesisNetwork as Ours

class SynthesisNetwork(Ours):
    def __init__(self, w_dim, img_resolution, img_channels, channel_base, channel_max, num_fp16_res):
        super().__init__(GeneratorSettings(img_resolution, channel_base, channel_max, w_dim, w_dim))

    def forward(self, ws, noise_mode):
        return super().forward(ws, noise_mode)
""",
}


@pytest.fixture
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder laid out as the reference is."""
    folder = tmp_path / "reference"
    paths = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
    for name, text in REFERENCE.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text.replace("{paths!r}", repr(paths)))
    return folder


def test_networks_are_timed_in_every_way_beside_the_reference(one_thread: None, checkout: Path) -> None:
    told: list[str] = []
    timings, absent = time_network(
        generator_subject(GENERATOR), [checkout], Clock("cpu", 1), 1, 2, {"fp32": 1e9}, told.append
    )
    found = {Way(timing.execution, timing.precision): timing for timing in timings}
    assert {Way("reference", "fp32"), Way("plain", "fp32")} <= found.keys()
    assert Way("uncompiled", "fp32") in found
    assert len(found) + len(absent) == 5, "two more ways, or why not"
    plain, reference = found[Way("plain", "fp32")], found[Way("reference", "fp32")]
    assert reference.ratio == 1.0
    assert plain.ratio == reference.seconds / plain.seconds
    assert reference.deviation < 1e-5
    assert plain.deviation == 0.0
    assert plain.peak_share == pytest.approx(plain.gflop / plain.seconds)
    for timing in timings:
        assert 0 < timing.fastest <= timing.seconds
        assert timing.deviation < 0.5, "it computes something else"
    # Each round has everyone in it; the first only warms up.
    assert told == list(dict.fromkeys(told)) * 3


def test_encoder_is_timed_without_the_reference_which_has_none(one_thread: None, checkout: Path) -> None:
    timings, _ = time_network(encoder_subject(ENCODER), [checkout], Clock("cpu", 1), 1, 1, {})
    assert {timing.network for timing in timings} == {"small encoder"}
    assert all(timing.ratio is None and timing.peak_share is None for timing in timings)


def test_memory_of_fresh_processes(one_thread: None, checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lifelike.bench.memory.ways", lambda device: [Way("plain", "fp32")])
    peaks, absent = measure_memory(generator_subject(GENERATOR), [checkout], Clock("cpu", 1), 1)
    assert absent == []
    assert [peak.execution for peak in peaks] == ["reference", "plain"]
    for peak in peaks:
        assert 0 < peak.before <= peak.peak
        assert peak.gpu_peak is None


def test_starts_of_fresh_processes() -> None:
    starts, absent = measure_starts(generator_subject(GENERATOR), "cpu", 1)
    assert absent == []
    plain, first, following = starts
    assert [start.kind for start in starts] == ["plain", "first start", "next start"]
    assert plain.set_up < 0.1 < 10 > plain.first > 0
    for start in (first, following):
        assert start.ratio == pytest.approx((start.set_up + start.first) / plain.first)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("raise ImportError('no such torch')", "no such torch"),
        ("import os; os._exit(3)", "its process ended"),
        (
            "class SynthesisNetwork:\n    def __init__(self, **options): raise TypeError('other options')",
            "other options",
        ),
    ],
)
def test_reference_that_does_not_work_is_told(one_thread: None, checkout: Path, text: str, told: str) -> None:
    (checkout / "training" / "networks.py").write_text(text)
    subject = generator_subject(GENERATOR)
    with pytest.raises(LifelikeError) as refused:
        Reference(checkout, subject, random_bundle(subject), Clock("cpu", 1), 1)
    assert refused.value.code is ErrorCode.INVALID_SETTING
    assert told in refused.value.what
    assert "\n" not in str(refused.value)


def test_operations_of_a_convolution_are_counted() -> None:
    network = lambda: torch.nn.Conv2d(3, 8, 3, padding=1, bias=False)  # noqa: E731
    assert count_operations(network, {"input": (1, 3, 16, 16)}) == 2 * 9 * 3 * 8 * 16 * 16


def test_peaks_are_found_for_each_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lifelike.bench.peak.MATMUL_SIDES", {"cpu": (32, 64)})
    monkeypatch.setattr("lifelike.bench.peak.CONVOLUTIONS", {"cpu": ((8, 16),)})
    peaks = measure_peaks("cpu", Clock("cpu", 2), 2)
    assert {(peak.operation, peak.precision) for peak in peaks} == {
        (operation, precision) for operation in ("matmul", "convolution") for precision in ("fp32", "bf16")
    }
    roof = highest(peaks)
    assert roof["fp32"] == max(peak.gflops for peak in peaks if peak.precision == "fp32") * 1e9


def test_turns_are_taken_round_by_round() -> None:
    order: list[str] = []

    def contestant(name: str) -> float:
        order.append(name)
        return float(len(order))

    seconds = take_turns({name: lambda name=name: contestant(name) for name in "ab"}, 2)
    assert order == list("ababab")
    assert seconds == {"a": [3.0, 5.0], "b": [4.0, 6.0]}


def test_deviation_is_in_standard_deviations() -> None:
    expected = torch.tensor([-1.0, 1.0]) * math.sqrt(0.5)  # standard deviation 1
    assert deviation(expected + torch.tensor([0.0, 0.25]), expected) == pytest.approx(0.25)


def test_a_pictures_way_and_batches(one_thread: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lifelike.bench.command.DRAWN_SIDE", 128)
    bundle = tmp_path / "small.safetensors"
    small_bundle().save(bundle)
    wish = Wish((Part.STAGES, Part.BATCHES), bundle=str(bundle), rounds=1, pictures=2)
    report = carry_out(wish)
    assert [stage.name for stage in report.stages] == [
        "decode",
        "locate",
        "align",
        "invert",
        "transfer",
        "composite",
        "encode",
    ]
    assert sum(stage.share for stage in report.stages) == pytest.approx(1)
    assert [(entry.lanes, entry.threads) for entry in report.throughput] == [(1, 1), (2, 1)]
    assert report.throughput[0].ratio == 1.0
    assert report.timings == report.memory == ()
    assert report.machine["processors"] == os.cpu_count()


def test_picture_without_a_face_is_told(one_thread: None, tmp_path: Path) -> None:
    bundle, picture = tmp_path / "small.safetensors", tmp_path / "grey.png"
    small_bundle().save(bundle)
    write_picture(picture, np.full((64, 64, 3), 128, np.uint8), Encoding())
    for part in (Part.STAGES, Part.BATCHES):
        with pytest.raises(LifelikeError) as refused:
            carry_out(Wish((part,), bundle=str(bundle), picture=picture, rounds=1, pictures=2))
        assert refused.value.code is ErrorCode.NO_FACE


@pytest.mark.parametrize(
    ("wish", "told"),
    [
        (Wish(references=(Path("missing"),)), "no folder"),
        (Wish(references=(Path(__file__).parent,)), "training/networks.py"),
        (Wish(resolutions=(100,)), "power of two"),
        (Wish(bundle="nobody"), "nobody"),
        (Wish(picture=Path("missing.png")), "missing.png"),
    ],
)
def test_wishes_that_cannot_be_are_refused_before_the_work(wish: Wish, told: str) -> None:
    begun: list[str] = []
    with pytest.raises(LifelikeError, match=told):
        carry_out(wish, begun.append)
    assert not begun


def test_command_writes_what_it_found_or_says_in_a_sentence_why_not(tmp_path: Path) -> None:
    file, table = tmp_path / "bench.json", tmp_path / "bench.md"

    def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "lifelike", "bench", "--json", file, *arguments],
            env={**environment(tmp_path), "COLUMNS": "200"},
            capture_output=True,
            text=True,
            timeout=START_SECONDS,
        )

    refused = run("--reference", tmp_path)
    assert refused.returncode == 1
    assert len(refused.stderr.strip().splitlines()) == 1
    assert str(tmp_path) in refused.stderr
    assert not file.exists()
    done = run("--part", "stages", "--rounds", "1", "--threads", "1", "--markdown", table)
    assert done.returncode == 0, done.stderr
    assert len(json.loads(file.read_text("utf-8"))["stages"]) == 7
    assert "composite" in done.stdout
    assert "| composite |" in table.read_text("utf-8")
