# SPDX-License-Identifier: GPL-3.0-or-later
"""Two processes train as one does with the same total batch; one of them writes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from training_runs import newest_checkpoint, scalars

TASK = '''
import sys
from pathlib import Path

import torch
from attrs import field, frozen
from PIL import Image

from lifelike.training.average import average_of, update_average
from lifelike.training.descent import Descent, place
from lifelike.training.processes import part_size
from lifelike.training.run import run_task
from lifelike.training.settings import read_settings
from lifelike.training.task import RunSettings, Task


@frozen
class Settings:
    run: RunSettings = field(factory=RunSettings)


class Regression(Task):
    """The same pictures every time, each process its own share of them."""

    kind = "regression"
    settings_class = Settings

    def __init__(self, settings, fabric):
        self.fabric, self.run = fabric, settings.run
        layers = (torch.nn.Conv2d(3, 8, 3), torch.nn.ReLU(), torch.nn.Conv2d(8, 1, 3))
        self.network = place(torch.nn.Sequential(*layers), fabric)
        self.average = average_of(self.network)
        self.descent = Descent(fabric, torch.optim.Adam(self.network.parameters(), 0.01), "network")
        self.part = part_size(self.run, fabric)

    def step(self, moment):
        batch = torch.randn(self.run.batch, 3, 8, 8, generator=torch.Generator().manual_seed(moment.step))
        mine = batch[self.fabric.global_rank :: self.fabric.world_size]
        self.descent.zero()
        losses = []
        for part in mine.split(self.part):
            loss = (self.network(part) - part.mean(1, keepdim=True)[:, :, 2:-2, 2:-2]).square().mean()
            self.descent.backward(loss / self.run.accumulate)
            losses.append(loss.detach())
        norm = self.descent.step(clip=1.0)
        update_average(self.average, self.network, moment.pictures, self.run.batch)
        return {"loss": torch.stack(losses).mean(), "gradient": norm}

    def parts(self):
        return {"network": self.network, "average": self.average, "descent": self.descent}

    def state(self):
        return {name: part.state_dict() for name, part in self.parts().items()}

    def restore(self, state):
        for name, part in self.parts().items():
            part.load_state_dict(state[name])

    def sheet(self):
        return Image.new("L", (8, 8))

    def export(self, folder, card):
        return []


if __name__ == "__main__":
    run_task(Regression, read_settings(Settings, None, sys.argv[2:]), Path(sys.argv[1]))
'''
CHANGES = (
    "run.accelerator=cpu",
    "run.precision=32-true",
    "run.threads=1",
    "run.batch=8",
    "run.pictures=240",
    "run.save_every=80",
    "run.scalars_every=40",
)


def train(script: Path, run: Path, *changes: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(script), str(run), *CHANGES, *changes]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240, check=False)


@pytest.mark.timeout(900)
def test_two_processes_learn_what_one_learns(tmp_path: Path) -> None:
    script = tmp_path / "regression.py"
    script.write_text(TASK)
    alone = train(script, tmp_path / "one", "run.accumulate=2")
    assert alone.returncode == 0, alone.stderr
    together = train(script, tmp_path / "two", "run.devices=2", "run.pictures=160")
    assert together.returncode == 0, together.stderr
    continued = train(script, tmp_path / "two", "run.devices=2")
    assert continued.returncode == 0, continued.stderr
    assert "Continuing at step 20" in continued.stdout
    one, two = newest_checkpoint(tmp_path / "one"), newest_checkpoint(tmp_path / "two")
    for part in ("network", "average"):
        for name, value in one["task"][part].items():
            assert torch.allclose(value, two["task"][part][name], atol=1e-5), name
    lines = scalars(tmp_path / "one"), scalars(tmp_path / "two")
    assert [line["pictures"] for line in lines[1]] == [40, 80, 120, 160, 200, 240]
    for first, second in zip(*lines, strict=True):
        assert second == pytest.approx(first, rel=1e-3)


@pytest.mark.timeout(900)
def test_a_batch_that_cannot_be_shared_out_is_refused(tmp_path: Path) -> None:
    script = tmp_path / "regression.py"
    script.write_text(TASK)
    refused = train(script, tmp_path / "run", "run.devices=2", "run.batch=7")
    assert "A batch of 7 pictures cannot be shared out among 2 processes." in refused.stderr
    assert not (tmp_path / "run").exists()
