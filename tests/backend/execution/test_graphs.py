# SPDX-License-Identifier: GPL-3.0-or-later
"""What surrounds CUDA graphs, with a recording that calls again: no size sees another's tensors, nothing is kept."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from lifelike.execution.acceleration import prepare
from lifelike.execution.gpu import GraphedEncoder, GraphedSynthesis
from lifelike.execution.graphs import MOST_GRAPHS, Graphed
from small_bundle import small_bundle


def call_again(work: Callable[[], tuple[Tensor, ...]]) -> tuple[Callable[[], None], tuple[Tensor, ...]]:
    """As a recording: works on the same tensors each time and leaves its results in the same ones."""
    results = tuple(result.clone() for result in work())

    def replay() -> None:
        for kept, result in zip(results, work(), strict=True):
            kept.copy_(result)

    return replay, results


def test_every_call_gives_results_of_its_own() -> None:
    graphed = Graphed(lambda x, y: (x + y, x * y), call_again)
    first = graphed(torch.ones(2), torch.full((2,), 3.0))
    second = graphed(torch.zeros(2), torch.full((2,), 5.0))
    assert [value.tolist() for value in (*first, *second)] == [[4.0, 4.0], [3.0, 3.0], [5.0, 5.0], [0.0, 0.0]]


def test_sizes_are_recorded_once_and_the_oldest_forgotten() -> None:
    recorded = []

    def record(work: Callable[[], tuple[Tensor, ...]]) -> tuple[Callable[[], None], tuple[Tensor, ...]]:
        recorded.append(1)
        return call_again(work)

    graphed = Graphed(lambda x: (x * 2,), record)
    assert MOST_GRAPHS == 2
    for size, records in ((1, 1), (2, 2), (1, 2), (2, 2), (3, 3), (2, 3), (1, 4)):
        assert torch.equal(graphed(torch.ones(size))[0], torch.full((size,), 2.0))
        assert len(recorded) == records


@torch.inference_mode()
def test_graphed_networks_of_a_bundle_show_the_same() -> None:
    bundle = small_bundle()
    portraits = torch.rand(2, 3, 64, 64) - 0.5
    latent = bundle.encoder(portraits)
    plain = bundle.photo.synthesis(latent.ws, features=latent.features)
    silent = bundle.photo.synthesis(latent.ws, "none")
    prepare(bundle.photo.synthesis, torch.float32)
    bundle.photo.synthesis.faster = GraphedSynthesis(bundle.photo.synthesis, call_again)
    bundle.encoder.faster = GraphedEncoder(bundle.encoder, bundle.encoder.compute, torch.bfloat16, call_again)
    for _ in range(2):
        found = bundle.encoder(portraits)
        assert (found.ws - latent.ws).abs().max() < 0.05 * latent.ws.std()
        assert found.features.keys() == latent.features.keys()
        shown = bundle.photo.synthesis(latent.ws, features=latent.features)
        assert torch.allclose(shown, plain, atol=1e-4)
        assert torch.allclose(bundle.photo.synthesis(latent.ws, "none"), silent, atol=1e-4)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
def test_a_gpu_shows_what_the_cpu_shows() -> None:
    from lifelike.execution.acceleration import Acceleration

    bundle = small_bundle()
    portraits = torch.rand(1, 3, 64, 64) - 0.5
    with torch.inference_mode():
        latent = bundle.encoder(portraits)
        plain = bundle.photo.synthesis(latent.ws, features=latent.features)
        Acceleration(bundle.to("cuda"))
        for _ in range(2):
            features = {side: code.cuda() for side, code in latent.features.items()}
            shown = bundle.photo.synthesis(latent.ws.cuda(), features=features).cpu()
            assert (shown - plain).abs().max() < 0.1 * plain.std()
