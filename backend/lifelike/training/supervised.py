# SPDX-License-Identifier: GPL-3.0-or-later
"""What the small networks' trainings share: batches are drawn, one loss falls, AdamW, a warm cosine rate."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from attrs import frozen
from PIL import Image
from torch import Tensor, nn

from lifelike.training.descent import Descent, place
from lifelike.training.learning_rate import warm_cosine
from lifelike.training.processes import part_size
from lifelike.training.task import Moment, RunSettings, Task

if TYPE_CHECKING:
    from lightning_fabric import Fabric


@frozen
class AdamWSettings:
    """The optimiser, the table ``[optimiser]`` of a configuration.

    rate: highest learning rate, reached after a twentieth of the run. decay: weight decay (Loshchilov and Hutter,
    arXiv 1711.05101). clip: largest gradient norm; 0 does not clip.
    """

    rate: float = 3e-3  # three times Adam's usual 1e-3: batch normalisation bears it, and runs are short
    decay: float = 0.02  # AdamW's own 0.01 doubled, for few pictures
    clip: float = 0.0


class SupervisedTask(Task):
    """Networks learning from batches that `draw` makes up anew each time.

    Nothing is compiled, whatever `run.compile` says: drawing takes about as long as learning, and runs are short.

    Args:
        learner: holds every weight to be trained; its ``forward(*batch, fraction)`` gives the loss, a scalar, and
            further scalars by name.
    """

    def __init__(self, fabric: Fabric, run: RunSettings, optimiser: AdamWSettings, learner: nn.Module) -> None:
        self.fabric, self.run, self.clip = fabric, run, optimiser.clip or None
        self.learner = place(learner, fabric)
        adam = torch.optim.AdamW(learner.parameters(), lr=optimiser.rate, weight_decay=optimiser.decay)
        self.descent = Descent(fabric, adam, self.kind)

    @abstractmethod
    def draw(self, count: int, moment: Moment) -> tuple[Tensor, ...]:
        """A training batch of `count` pictures, on any device."""

    def step(self, moment: Moment) -> Mapping[str, float | Tensor]:
        self.learner.train()
        self.descent.rate(warm_cosine(moment.fraction, 1.0))
        self.descent.zero()
        parts = self.run.accumulate
        values: dict[str, float | Tensor] = {}
        for _ in range(parts):
            batch = [tensor.to(self.fabric.device) for tensor in self.draw(part_size(self.run, self.fabric), moment)]
            with self.fabric.autocast():
                loss, scalars = self.learner(*batch, moment.fraction)
            self.descent.backward(loss / parts)
            for name, value in {"loss": loss, **scalars}.items():
                values[name] = values.get(name, 0.0) + value.detach() / parts
        return {**values, "gradient_norm": self.descent.step(self.clip)}

    def state(self) -> dict[str, Any]:
        return {"learner": self.learner.state_dict(), "optimiser": self.descent.state_dict()}

    def restore(self, state: dict[str, Any]) -> None:
        self.learner.load_state_dict(state["learner"])
        self.descent.load_state_dict(state["optimiser"])

    def is_finished(self, card: dict[str, Any]) -> bool:
        """Whether the run that writes this card has reached its length; only then is the network measured."""
        return bool(card["pictures"] >= self.run.pictures)

    def sheet(self) -> Image.Image | None:
        return None
