# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings of trainings: read, changed, refused with their name, written and read back."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

import attrs
import pytest
from attrs import evolve, field, frozen

from lifelike.networks.stylegan2 import GeneratorSettings
from lifelike.training.photo.settings import PhotoSettings
from lifelike.training.precision import choose_precision, cpu_multiplies_bf16
from lifelike.training.settings import differences, read_settings, settings_from_table, tomllib, write_settings
from lifelike.training.task import RunSettings
from lifelike_protocol.errors import LifelikeError

REPOSITORY = Path(__file__).resolve().parents[3]


@frozen
class Weights:
    rate: float = 1e-05
    layers: tuple[int, ...] = (1, 2)
    decay: float | None = None


@frozen
class Example:
    data: tuple[Path, ...]
    name: str = "a"
    look: Literal["photo", "render"] = "photo"
    flip: bool = False
    weights: Weights = field(factory=Weights)
    network: GeneratorSettings = field(factory=GeneratorSettings)
    run: RunSettings = field(factory=RunSettings)


DATA = 'data=["pictures"]'


def test_file_and_changes_are_put_together(tmp_path: Path) -> None:
    file = tmp_path / "train.toml"
    file.write_text('data = ["a", "b c"]\nflip = true\n[weights]\nrate = 3\nlayers = [4]\n[run]\nbatch = 16\n')
    settings = read_settings(Example, file, ["run.batch=32", "name=two words", "run.devices=2", "weights.decay=0.5"])
    assert settings.data == (Path("a"), Path("b c"))
    assert settings.weights == Weights(3.0, (4,), 0.5)
    assert (settings.flip, settings.name) == (True, "two words")
    assert settings.run == evolve(RunSettings(), batch=32, devices="2")


@pytest.mark.parametrize(
    "changes",
    [
        [],
        ['name="quote \\" backslash \\\\ \\u0001 ümlaut"'],
        ["weights.rate=1e-30", "weights.decay=inf", "weights.layers=[]"],
    ],
)
def test_what_is_written_reads_back_equal(tmp_path: Path, changes: list[str]) -> None:
    settings = read_settings(Example, None, [DATA, *changes])
    write_settings(settings, tmp_path / "out.toml")
    assert read_settings(Example, tmp_path / "out.toml") == settings
    assert [file.name for file in tmp_path.iterdir()] == ["out.toml"]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("run.pictues=3", r"There is no setting run\.pictues\. Did you mean run\.pictures\?"),
        ("batch=3", r"There is no setting batch\. Did you mean run\.batch\?"),
        ("run.batch=many", r"The setting run\.batch must be a whole number, not 'many'\."),
        ("run.batch=2.5", r"The setting run\.batch must be a whole number, not 2\.5\."),
        ("run.compile=1", r"The setting run\.compile must be true or false, not 1\."),
        ("weights.rate=true", r"The setting weights\.rate must be a number, not True\."),
        ("weights.layers=[1, 'x']", r"The setting weights\.layers\[1\] must be a whole number, not 'x'\."),
        ("weights.layers=5", r"The setting weights\.layers must be a list, not 5\."),
        ("weights=5", r"The setting weights must be a table\."),
        ("look=painting", r"The setting look must be one of 'photo', 'render', not 'painting'\."),
        ("run.batch=0", r"'batch' must be >= 1: 0\."),
        ("network.resolution=100", r"resolution must be a power of two of at least 8, not 100\."),
        ("run.batch", r"is not of the form table\.key=value\."),
    ],
)
def test_what_is_wrong_is_named(change: str, told: str) -> None:
    with pytest.raises(LifelikeError, match=told):
        read_settings(Example, None, [DATA, change])


def test_what_is_missing_or_unreadable_is_named(tmp_path: Path) -> None:
    with pytest.raises(LifelikeError, match=r"The setting data is missing\."):
        read_settings(Example, None)
    with pytest.raises(LifelikeError, match=r"cannot be read: No such file"):
        read_settings(Example, tmp_path / "none.toml")
    (tmp_path / "bad.toml").write_text("data = [")
    with pytest.raises(LifelikeError, match=r"bad\.toml cannot be read: Invalid value"):
        read_settings(Example, tmp_path / "bad.toml")


def test_one_text_is_as_good_as_a_list_of_one() -> None:
    assert read_settings(Example, None, ["data=my pictures"]).data == (Path("my pictures"),)


def test_differences_are_told_by_key() -> None:
    first = read_settings(Example, None, [DATA])
    second = read_settings(Example, None, [DATA, "run.batch=9", "weights.decay=1"])
    assert differences(first, second) == {"weights.decay": (None, 1.0), "run.batch": (8, 9)}


@pytest.mark.parametrize("cls", [PhotoSettings])
def test_the_documented_defaults_are_the_defaults(cls: type) -> None:
    text = (REPOSITORY / "docs" / "training_runs.md").read_text("utf-8")
    documented = dict(re.findall(r"^\| `([a-z0-9_.]+)` \| (?:`(.+?)`|not set) \|", text, re.MULTILINE))
    flat = "\n".join(f"{key} = {value}" for key, value in documented.items() if value)
    table = tomllib.loads(flat)
    assert settings_from_table(cls, table) == cls()
    known = {f"{name}.{key}" for name, inner in attrs.asdict(cls()).items() if isinstance(inner, dict) for key in inner}
    known |= {name for name, inner in attrs.asdict(cls()).items() if not isinstance(inner, dict)}
    assert set(documented) == known


def test_a_precision_is_chosen_by_the_processor_and_an_impossible_one_refused() -> None:
    chosen = "bf16-mixed" if cpu_multiplies_bf16() else "32-true"
    assert choose_precision("auto", "cpu") == chosen
    assert choose_precision("32-true", "cpu") == "32-true"
    with pytest.raises(LifelikeError, match="There is no precision 'half'"):
        choose_precision("half", "auto")
    with pytest.raises(LifelikeError, match="needs a CUDA GPU"):
        choose_precision("16-mixed", "cpu")
