# SPDX-License-Identifier: GPL-3.0-or-later
"""How a loss reaches the weights: scaled for its precision, averaged over all processes, checked, applied.

Networks are not wrapped for distributed training: penalties on gradients (R1, path length) differentiate twice and
losses reach into parts of networks, which wrappers bear badly. As NVIDIA's stylegan2-ada-pytorch does
(training_loop.py), every process works on plain networks and the gradients are averaged once before the step.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from lightning_fabric import Fabric

Network = TypeVar("Network", bound=nn.Module)


class Diverged(ArithmeticError):
    """A loss or a gradient is not finite; the message names it."""


class Descent:
    """The updates of one optimiser.

    Per update: `zero`, then `backward` for each part of each loss (parts add up: divide by their number), then `step`.

    Args:
        fabric: of the run.
        optimiser: of parameters already on the run's device.
        name: for messages, e.g. "generator".
    """

    def __init__(self, fabric: Fabric, optimiser: torch.optim.Optimizer, name: str) -> None:
        self.fabric, self.name = fabric, name
        self.optimiser: Any = fabric.setup_optimizers(optimiser)
        self._skipped = 0

    def zero(self) -> None:
        """Forget the gradients."""
        self.optimiser.zero_grad(set_to_none=True)

    def backward(self, loss: Tensor) -> None:
        """Add the gradient of a scalar."""
        self.fabric.backward(loss)

    def rate(self, factor: float) -> None:
        """Set the learning rate of every parameter group to `factor` times its first one."""
        for group in self.optimiser.param_groups:
            group.setdefault("first_rate", group["lr"])
            group["lr"] = group["first_rate"] * factor

    def step(self, clip: float | None = None) -> Tensor:
        """Average the gradients over the processes, limit their norm to `clip`, update; returns the norm before.

        In 16-bit floating point with a loss scale, an update whose gradient overflowed is skipped and the scale
        lowered, as always with one; the norm returned is then 0.

        Raises:
            Diverged: the gradient is not finite.
        """
        gradients = [p.grad for group in self.optimiser.param_groups for p in group["params"] if p.grad is not None]
        self._average(gradients)
        precision: Any = self.fabric.strategy.precision
        scaler = getattr(precision, "scaler", None)
        if scaler is not None:
            scaler.unscale_(self.optimiser.optimizer)
        norm = torch.nn.utils.get_total_norm(gradients)
        if not torch.isfinite(norm):
            self._overflow(scaler)
            norm = torch.zeros_like(norm)
        else:
            self._skipped = 0
            if clip is not None:
                factor = (clip / (norm + 1e-6)).clamp(max=1.0)
                torch._foreach_mul_(gradients, factor)
        self.optimiser.step()
        return norm

    def _average(self, gradients: list[Tensor]) -> None:
        if self.fabric.world_size == 1:
            return
        flat: Any = torch.cat([gradient.flatten() for gradient in gradients])
        flat = self.fabric.all_reduce(flat, reduce_op="mean")
        for gradient, part in zip(gradients, flat.split([g.numel() for g in gradients]), strict=True):
            gradient.copy_(part.view_as(gradient))

    def _overflow(self, scaler: Any) -> None:
        self._skipped += 1
        if scaler is None or self._skipped > 32:
            raise Diverged(f"the gradient of the {self.name} is not finite")

    def state_dict(self) -> dict[str, Any]:
        """The optimiser's."""
        state: dict[str, Any] = self.optimiser.state_dict()
        return state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from `state_dict()`."""
        self.optimiser.load_state_dict(state)


def place(network: Network, fabric: Fabric) -> Network:
    """The network on the run's device, channels last."""
    network.to(fabric.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network


def require_gradients(networks: Iterable[nn.Module], wanted: bool) -> None:
    """Whether the parameters of these networks are to be trained now."""
    for network in networks:
        network.requires_grad_(wanted)
