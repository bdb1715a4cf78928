# SPDX-License-Identifier: GPL-3.0-or-later
"""What each loss term promises: what it sees, what it is blind to, and that a generator can follow it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from lifelike.networks.identity import IdentityNetwork
from lifelike.networks.stylegan2 import Discriminator, Generator, GeneratorSettings
from lifelike.training.face_prior import face_prior
from lifelike.training.losses.adversarial import (
    discriminator_adversarial,
    generator_adversarial,
    path_length_penalty,
    r1_penalty,
)
from lifelike.training.losses.colour import histogram_distance, low_passed_lab, rgb_uv_histogram
from lifelike.training.losses.features import activations
from lifelike.training.losses.geometry import edge_distance
from lifelike.training.losses.identity import identity
from lifelike.training.losses.lab import srgb_to_lab
from lifelike.training.losses.reconstruction import detail_energy
from lifelike.training.losses.structure import coarse_pictures
from made_up_pairs import draw_face

SMALL = GeneratorSettings(32, channel_base=512, channel_max=16, z_dim=16, w_dim=16, mapping_layers=2)
COLOUR_TERMS = [low_passed_lab, histogram_distance]


def signed(picture: object) -> Tensor:
    return torch.from_numpy(np.asarray(picture, np.float32)).permute(2, 0, 1)[None] / 127.5 - 1


@pytest.fixture(scope="module")
def face() -> Tensor:
    """[1, 3, 64, 64]: a drawn face."""
    return signed(draw_face(64, (200, 150, 120), (30, 60, 90)))


def moved(picture: Tensor, right: int, down: int = 0) -> Tensor:
    return torch.roll(picture, (down, right), (2, 3))


def tinted(picture: Tensor, gains: tuple[float, float, float]) -> Tensor:
    return (picture + 1) * torch.tensor(gains)[:, None, None] - 1


def two_generators(disturbance: float = 0.3) -> tuple[Generator, Generator, Tensor]:
    """A frozen parent, a copy that has been disturbed, and codes [4, num_ws, w_dim]."""
    torch.manual_seed(0)
    parent, child = Generator(SMALL), Generator(SMALL)
    with torch.no_grad():  # pictures within −1…1, as trained generators make them
        for resolution in SMALL.resolutions:
            parent.synthesis.block(resolution).torgb.weight.mul_(0.15)
    child.load_state_dict(parent.state_dict())
    with torch.no_grad():
        for parameter in child.synthesis.parameters():
            parameter.add_(disturbance * torch.randn_like(parameter))
        ws = parent.w_plus(parent.mapping(torch.randn(4, 16)))
    return parent.eval().requires_grad_(False), child, ws


def followed(
    term: Callable[[Generator, Generator, Tensor], Tensor],
    steps: int = 40,
    disturbance: float = 0.3,
    rate: float = 0.02,
) -> tuple[float, float]:
    """The term before and after the child alone was trained with it; the parent must not have moved."""
    parent, child, ws = two_generators(disturbance)
    before = [value.clone() for value in parent.state_dict().values()]
    optimiser = torch.optim.Adam(child.synthesis.parameters(), rate, (0.0, 0.99))
    values = []
    for _ in range(steps):
        loss = term(child, parent, ws)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        values.append(float(loss.detach()))
    assert all(torch.equal(a, b) for a, b in zip(parent.state_dict().values(), before, strict=True))
    return values[0], values[-1]


# -- colour ----------------------------------------------------------------------------------------------


def test_lab_is_the_one_of_the_standard() -> None:
    # Lindbloom's reference values of sRGB white, mid grey, red and blue (D65).
    colours = torch.tensor([[1.0, 1, 1], [0.5, 0.5, 0.5], [1, 0, 0], [0, 0, 1]])
    lab = 100 * srgb_to_lab((2 * colours - 1)[:, :, None, None])[:, :, 0, 0]
    expected = torch.tensor([[100, 0, 0], [53.389, 0, 0], [53.241, 80.092, 67.203], [32.297, 79.188, -107.86]])
    assert (lab - expected).abs().max() < 0.1


def test_lab_keeps_a_finite_gradient_outside_the_gamut() -> None:
    picture = torch.tensor([-1.5, -1.0, 1.5])[None, :, None, None].expand(1, 3, 4, 4).clone().requires_grad_(True)
    srgb_to_lab(picture).sum().backward()
    assert picture.grad is not None
    assert torch.isfinite(picture.grad).all()
    assert (picture.grad[:, 0] != 0).all()


@pytest.mark.parametrize("term", COLOUR_TERMS)
def test_colour_sees_a_tint_and_hardly_a_small_shift(term: Callable[..., Tensor], face: Tensor) -> None:
    prior = face_prior(64)
    shift = float(term(face, moved(face, 1), prior))
    tint = float(term(face, tinted(face, (1.0, 0.85, 0.8)), prior))
    assert tint > 3 * shift
    assert float(term(face, face, prior)) < 1e-5


@pytest.mark.parametrize("term", COLOUR_TERMS)
def test_colour_is_hardly_moved_by_grain(term: Callable[..., Tensor], face: Tensor) -> None:
    grain = face + 0.1 * torch.randn(face.shape, generator=torch.Generator().manual_seed(0))
    tint = tinted(face, (1.0, 0.85, 0.8))
    assert float(term(face, grain, face_prior(64))) < 0.6 * float(term(face, tint, face_prior(64)))


@pytest.mark.parametrize("term", COLOUR_TERMS)
def test_colour_is_blind_outside_the_region(term: Callable[..., Tensor], face: Tensor) -> None:
    region = torch.zeros(1, 1, 64, 64)
    region[..., 16:48, 16:48] = 1
    other = torch.where(region > 0, face, -face)
    assert float(term(face, other, region)) < 1e-3


def test_histogram_adds_up_to_one(face: Tensor) -> None:
    histogram = rgb_uv_histogram(face, face_prior(64))
    assert histogram.shape == (1, 3, 64, 64)
    assert float(histogram.sum()) == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("term", COLOUR_TERMS)
def test_a_generator_follows_colour(term: Callable[..., Tensor]) -> None:
    prior = face_prior(32)
    first, last = followed(
        lambda child, parent, ws: term(child.synthesis(ws), parent.synthesis(ws), prior), disturbance=0.1, rate=0.003
    )
    assert last < 0.6 * first


# -- geometry --------------------------------------------------------------------------------------------


def test_geometry_is_blind_to_tint_and_gain_and_sees_a_moved_feature(face: Tensor) -> None:
    tint = float(edge_distance(face, tinted(face, (0.95, 0.75, 0.6))))
    darker = float(edge_distance(face, 0.6 * face - 0.2))
    mouth = face.clone()
    mouth[..., 42:54, 22:46] = moved(face, 0, -3)[..., 42:54, 22:46]
    feature = float(edge_distance(face, mouth))
    assert feature > 2 * max(tint, darker)
    assert float(edge_distance(face, moved(face, 3))) > 5 * max(tint, darker)


def test_geometry_looks_at_the_region_only(face: Tensor) -> None:
    region = torch.zeros(1, 1, 64, 64)
    region[..., :24] = 1
    other = face.clone()
    other[..., 52:] = torch.rand(1, 3, 64, 12, generator=torch.Generator().manual_seed(0))
    assert float(edge_distance(face, other, region)) < 0.1 * float(edge_distance(face, other))


def test_a_generator_follows_geometry() -> None:
    first, last = followed(
        lambda child, parent, ws: edge_distance(child.synthesis(ws), parent.synthesis(ws), scales=2), steps=40
    )
    assert last < 0.6 * first


# -- identity --------------------------------------------------------------------------------------------


def test_detail_energy_sees_softness_and_not_where_each_grain_lies() -> None:
    torch.manual_seed(0)
    sharp, other = (0.1 * torch.randn(1, 3, 256, 256) for _ in range(2))
    soft = torch.nn.functional.avg_pool2d(torch.nn.functional.pad(sharp, (1, 1, 1, 1), mode="reflect"), 3, 1)
    everywhere = torch.ones(1, 1, 256, 256)
    assert detail_energy(sharp, sharp, everywhere) == 0
    assert detail_energy(soft, sharp, everywhere) > 4 * detail_energy(other, sharp, everywhere)
    assert detail_energy(soft, sharp, 0 * everywhere) == 0


def test_detail_energy_sharpens_a_soft_picture() -> None:
    torch.manual_seed(0)
    target = 0.1 * torch.randn(1, 3, 32, 32)
    picture = (0.2 * target).requires_grad_(True)
    everywhere = torch.ones(1, 1, 32, 32)
    before = float(detail_energy(picture, target, everywhere).detach())
    optimiser = torch.optim.Adam([picture], 0.01)
    for _ in range(30):
        optimiser.zero_grad()
        detail_energy(picture, target, everywhere).backward()
        optimiser.step()
    assert float(detail_energy(picture, target, everywhere).detach()) < 0.2 * before


def test_identity_reaches_the_generator_only() -> None:
    embedder = IdentityNetwork().eval().requires_grad_(False)
    before = [value.clone() for value in embedder.state_dict().values()]
    gradients = []

    def term(child: Generator, parent: Generator, ws: Tensor) -> Tensor:
        with torch.no_grad():
            target = embedder(parent.synthesis(ws))
        gradients.extend(parameter.grad for parameter in embedder.parameters())
        return identity(embedder(child.synthesis(ws)), target)

    first, last = followed(term)
    assert last < 0.5 * first
    assert set(gradients) == {None}
    assert all(torch.equal(a, b) for a, b in zip(embedder.state_dict().values(), before, strict=True))


def test_identity_is_one_minus_the_cosine() -> None:
    vectors = F.normalize(torch.tensor([[3.0, 4.0], [1.0, 0.0]]), dim=1)
    assert float(identity(vectors, vectors)) == pytest.approx(0)
    assert float(identity(vectors[:1], vectors[1:])) == pytest.approx(1 - 0.6)


# -- structure and features ------------------------------------------------------------------------------


def outputs(generator: Generator, ws: Tensor) -> tuple[list[Tensor], list[Tensor]]:
    """RGB so far and activations at 8 and 16."""
    pictures, activity = [], []

    def keep(resolution: int, x: Tensor, rgb: Tensor) -> None:
        if resolution in (8, 16):
            activity.append(x)
            pictures.append(rgb)

    generator.synthesis(ws, observe=keep)
    return pictures, activity


@pytest.mark.parametrize(("term", "which"), [(coarse_pictures, 0), (activations, 1)])
def test_a_generator_follows_structure_and_features(term: Callable[..., Tensor], which: int) -> None:
    first, last = followed(lambda child, parent, ws: term(outputs(child, ws)[which], outputs(parent, ws)[which]))
    assert last < 0.3 * first


def test_structure_and_features_leave_finer_layers_alone() -> None:
    parent, child, ws = two_generators()
    for term, which in ((coarse_pictures, 0), (activations, 1)):
        child.zero_grad()
        term(outputs(child, ws)[which], outputs(parent, ws)[which]).backward()
        reached = {name.split(".")[0] for name, p in child.synthesis.named_parameters() if p.grad is not None}
        assert reached == {"b4", "b8", "b16"}


def test_their_formulas() -> None:
    zeros, ones = torch.zeros(2, 5, 4, 4), torch.ones(2, 5, 4, 4)
    assert float(coarse_pictures([zeros, zeros], [ones, 2 * ones])) == 1 + 4  # means, summed over layers
    assert float(activations([zeros, zeros], [ones, 2 * ones])) == (5 + 20) / 2  # channels summed, layers averaged


# -- adversarial -----------------------------------------------------------------------------------------


def test_r1_of_a_linear_discriminator_is_half_its_squared_slope() -> None:
    slope = torch.randn(3, 8, 8)
    penalty = r1_penalty(lambda x: (x * slope).sum((1, 2, 3)), torch.randn(4, 3, 8, 8))
    assert float(penalty) == pytest.approx(float(slope.square().sum()) / 2, rel=1e-5)


def test_path_length_of_a_linear_generator_settles_at_its_mean() -> None:
    torch.manual_seed(0)
    turn = torch.linalg.qr(torch.randn(3 * 64, 8))[0]  # orthonormal columns: every direction is as long
    ws = torch.randn(4, 1, 8, requires_grad=True)
    mean = torch.zeros(())
    for _ in range(300):
        pictures = (ws[:, 0] @ turn.T).view(4, 3, 8, 8)
        penalty, mean = path_length_penalty(pictures, ws, mean, decay=0.05)
    # y has variance 1/64, so ‖Jᵀy‖² is a sum of eight squares of that size.
    assert float(mean) == pytest.approx((8 / 64) ** 0.5, rel=0.15)
    assert float(penalty) < 0.3 * float(mean) ** 2


def test_a_generator_learns_the_colour_of_a_handful_of_pictures() -> None:
    torch.manual_seed(0)
    generator, discriminator = Generator(SMALL), Discriminator(SMALL)
    real = torch.cat([signed(draw_face(32, (190 + 10 * k, 90, 70), (160, 60, 50))) for k in range(4)])
    aim = real.mean((0, 2, 3))
    optimisers = [torch.optim.Adam(net.parameters(), 4e-3, (0.0, 0.99)) for net in (generator, discriminator)]
    distances = []
    for step in range(40):
        made = generator(torch.randn(4, 16))
        distances.append(float((made.detach().mean((0, 2, 3)) - aim).abs().mean()))
        discriminator.requires_grad_(True)
        loss = discriminator_adversarial(discriminator(real), discriminator(made.detach()))
        if step % 4 == 0:
            loss = loss + 4 * 0.1 * r1_penalty(discriminator, real)
        optimisers[1].zero_grad()
        loss.backward()
        optimisers[1].step()
        discriminator.requires_grad_(False)
        optimisers[0].zero_grad()
        generator_adversarial(discriminator(made)).backward()
        optimisers[0].step()
    assert np.mean(distances[-10:]) < 0.5 * np.mean(distances[:3])
