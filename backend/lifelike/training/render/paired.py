# SPDX-License-Identifier: GPL-3.0-or-later
"""The optional paired term: renders that come with their photo look.

An encoder E that inverts photos against the photo generator says where the person of a pair lives in the shared latent
space: G_photo(E(y)) ≈ y for the photo look y. The copy is asked to show the pair's render x at the same place,
G_render(E(y)) ≈ x, while G_photo and E stand still. So the two generators learn what corresponds from the data and not
from their kinship alone. Ours; the paper's renders come without photographs.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lifelike.datasets.dataset import open_dataset
from lifelike.datasets.identities import identity_number, identity_range, within
from lifelike.networks.encoders import AnyEncoder, encode
from lifelike.networks.stylegan2 import SynthesisNetwork
from lifelike.training.losses.reconstruction import pyramid_l1
from lifelike.training.portraits import PortraitData
from lifelike.training.random_pictures import signed
from lifelike_protocol.errors import ErrorCode, LifelikeError

BACKGROUND = 0.25
"""Weight of what lies outside the head, where a generator of photographs need not know the render's backdrop."""


class PairedTerm:
    """Random pairs and the term on them.

    Args:
        render, photo: (N, R, R, 3) uint8, aligned to each other.
        encoder: inverts photos; frozen, on the run's device.
        region: [11RR], the head.
    """

    def __init__(
        self, render: NDArray[np.uint8], photo: NDArray[np.uint8], encoder: AnyEncoder, region: Tensor, mirror: bool
    ) -> None:
        self.render, self.photo, self.encoder, self.mirror = render, photo, encoder, mirror
        self.weight = BACKGROUND + (1 - BACKGROUND) * region

    def value(self, synthesis: SynthesisNetwork, count: int) -> Tensor:
        """The unweighted term on `count` random pairs."""
        render, photo = self.draw(count)
        with torch.no_grad():
            ws = encode(self.encoder, photo).ws
        return pyramid_l1(synthesis(ws), render, self.weight)

    def draw(self, count: int) -> tuple[Tensor, Tensor]:
        """`count` pairs [N3RR], mirrored together."""
        chosen = torch.randint(len(self.render), (count,)).numpy()
        mirrored = (torch.rand(count) < 0.5)[:, None, None, None]
        pictures = []
        for pixels in (self.render, self.photo):
            drawn = torch.from_numpy(pixels[chosen])
            drawn = torch.where(mirrored, drawn.flip(2), drawn) if self.mirror else drawn
            pictures.append(signed(drawn.to(self.weight.device)))
        return pictures[0], pictures[1]


def read_pairs(data: PortraitData, resolution: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The shots that are there in both looks, without reserved people: render, photo (N, R, R, 3) uint8.

    Raises:
        LifelikeError: INVALID_FILE where there is none; otherwise as `open_dataset` and `DataSet.pictures`.
    """
    cache: Any = Path(data.cache) if data.cache else None
    found: dict[str, list[NDArray[np.uint8]]] = {"render": [], "photo": []}
    for folder in data.folders:
        dataset = open_dataset(Path(folder))
        if not dataset.pairs_of_looks():
            continue
        looks = {look: dataset.pictures(resolution, look, cache) for look in found}
        rows = {look: {r.pair: i for i, r in enumerate(pictures.records)} for look, pictures in looks.items()}
        people = {record.pair: record.identity for record in looks["render"].records}
        shots = [shot for shot in rows["render"] if shot in rows["photo"]]
        numbers = np.array([identity_number(people[shot]) if people[shot] else -1 for shot in shots], np.int64)
        free = ~within(numbers, identity_range(data.reserved))
        for look, pictures in looks.items():
            kept = [rows[look][shot] for shot, use in zip(shots, free, strict=True) if use]
            found[look].append(pictures.pixels[kept])
    if not sum(map(len, found["render"])):
        what = "The paired term needs renders with their photo look, and data.folders has none but of reserved people."
        raise LifelikeError(ErrorCode.INVALID_FILE, what, "Set encoder to nothing, or name a data set of pairs.")
    return np.concatenate(found["render"]), np.concatenate(found["photo"])
