# SPDX-License-Identifier: GPL-3.0-or-later
"""How often the discriminator's pictures are changed: as often as it takes to keep it from overfitting."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from attrs import field, frozen, validators
from torch import Tensor

if TYPE_CHECKING:
    from lightning_fabric import Fabric


@frozen
class AdaSettings:
    """Adaptive discriminator augmentation, the table ``[ada]`` of a configuration.

    target: mean sign of the discriminator's logits of real pictures, above which it is said to overfit; 0 switches the
        augmentation off and leaves p at `start`.
    start: p at first, 0…1.
    pictures: in which p could go from 0 to 1 at the fastest.
    every: updates between two changes of p.
    """

    target: float = field(default=0.6, validator=validators.ge(0.0))  # arXiv 2006.06676, section 3.1
    start: float = field(default=0.0, validator=validators.and_(validators.ge(0.0), validators.le(1.0)))
    pictures: int = field(default=500_000, validator=validators.ge(1))  # same section
    every: int = field(default=4, validator=validators.ge(1))  # same section: "once every four minibatches"


class AugmentationStrength:
    """p, moved up while the mean sign of real logits is above the target, and down below it (section 3.1, r_t).

    Args:
        settings: see there. batch: pictures of an update over all processes.
    """

    def __init__(self, settings: AdaSettings, batch: int, fabric: Fabric) -> None:
        self.settings, self.batch, self.fabric = settings, batch, fabric
        self.p = settings.start
        self._signs: list[Tensor] = []

    def see(self, real_logits: Tensor) -> None:
        """Note the discriminator's logits of real pictures."""
        self._signs.append(real_logits.detach().sign().float().mean())

    def adapt(self, step: int) -> None:
        """After each update: move p when it is time. `step` counts the updates done before this one."""
        if self.settings.target <= 0 or (step + 1) % self.settings.every or not self._signs:
            return
        together: Any = self.fabric.all_reduce(torch.stack(self._signs).mean(), reduce_op="mean")
        mean = float(together)
        self._signs = []
        move = self.batch * self.settings.every / self.settings.pictures
        direction = (mean > self.settings.target) - (mean < self.settings.target)
        self.p = min(max(self.p + direction * move, 0.0), 1.0)

    def state_dict(self) -> dict[str, Any]:
        """For a checkpoint."""
        return {"p": self.p, "signs": [float(sign) for sign in self._signs]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from `state_dict()`."""
        self.p = float(state["p"])
        self._signs = [torch.tensor(sign, device=self.fabric.device) for sign in state["signs"]]
