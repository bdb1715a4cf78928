# SPDX-License-Identifier: GPL-3.0-or-later
"""Bundles come back as they were written, and nothing else is taken for one."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from attrs import evolve
from safetensors.torch import load_file, save_file

from lifelike.bundles import Bundle, find_bundle, list_bundles, load_bundle, read_bundle, read_card
from lifelike.bundles.assembly import assemble_bundle
from lifelike.bundles.bundle import empty_bundle
from lifelike.bundles.card import card_to_json
from lifelike.bundles.file import CARD_KEY, bundle_sha256
from lifelike.networks.e4e import E4e, E4eSettings
from lifelike.transfer import transfer_portraits
from lifelike_protocol.errors import ErrorCode, LifelikeError
from small_bundle import small_bundle


@pytest.fixture
def bundle() -> Bundle:
    return small_bundle()


@pytest.fixture
def file(bundle: Bundle, tmp_path: Path) -> Path:
    bundle.save(tmp_path / "small.safetensors")
    return tmp_path / "small.safetensors"


def refused(path: Path) -> LifelikeError:
    with pytest.raises(LifelikeError) as caught:
        read_bundle(path)
    assert caught.value.code is ErrorCode.INVALID_BUNDLE
    assert caught.value.remedy
    return caught.value


def test_a_bundle_comes_back_with_its_card_and_its_pictures(bundle: Bundle, file: Path) -> None:
    again = read_bundle(file)
    assert again.card == bundle.card
    assert again.sha256 == bundle_sha256(file)
    portraits = torch.rand(1, 3, 64, 64) * 2 - 1
    expected = transfer_portraits(bundle, portraits)
    assert torch.allclose(transfer_portraits(again, portraits), expected, atol=0.02)  # stored in half precision
    for resolution in again.card.generator.resolutions:
        photo, render = (g.synthesis.block(resolution).conv1.noise_const for g in (again.photo, again.render))
        assert torch.equal(photo, render), "the pair shares its noise"
    assert again.photo.mapping is again.render.mapping


def test_a_folder_is_a_bundle_too(bundle: Bundle, file: Path, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "card.json").write_text(card_to_json(bundle.card))
    save_file(load_file(file), folder / "weights.safetensors")
    assert read_bundle(folder).card == bundle.card


def test_cut_off_files_are_refused(file: Path) -> None:
    data = file.read_bytes()
    for length in (0, 4, 100, len(data) // 2, len(data) - 1):
        file.write_bytes(data[:length])
        refused(file)


def test_foreign_files_are_refused(tmp_path: Path) -> None:
    picture = tmp_path / "picture.safetensors"
    picture.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(1000))
    refused(picture)
    weights = tmp_path / "weights.safetensors"
    save_file({"w": torch.zeros(2)}, weights)
    assert "no card" in refused(weights).what


def test_pickles_are_never_run(tmp_path: Path) -> None:
    marker = tmp_path / "ran"

    class Trap:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (exec, (f"open({str(marker)!r}, 'w')",))

    path = tmp_path / "trap.safetensors"
    path.write_bytes(pickle.dumps(Trap()))
    refused(path)
    assert not marker.exists()


def rewritten(file: Path, **changes: object) -> None:
    """Change tensors (by name, None removes) of a bundle file, keeping its card."""
    from safetensors import safe_open

    with safe_open(file, "pt") as opened:
        metadata = opened.metadata()
    tensors = load_file(file)
    for name, value in changes.items():
        if value is None:
            del tensors[name]
        else:
            tensors[name] = value
    save_file(tensors, file, metadata)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"photo.b4.const": None}, "photo.b4.const is missing"),
        ({"photo.b4.const": torch.zeros(1, 4, 4)}, "has the shape (1, 4, 4)"),
        ({"stranger": torch.zeros(1)}, "of no network"),
        ({"mapping.w_avg": torch.full((16,), torch.nan)}, "not finite"),
        ({"mapping.w_avg": torch.zeros(16, dtype=torch.complex64)}, "of the type"),
        ({"mapping.w_avg": torch.zeros(16, dtype=torch.float8_e4m3fn)}, "of the type"),
        ({"mapping.w_avg": torch.zeros(16, dtype=torch.bool)}, "of the type"),
        ({"mapping.w_avg": torch.tensor([torch.inf] + [0.0] * 15)}, "not finite"),
    ],
)
def test_wrong_tensors_are_refused(file: Path, changes: dict[str, object], expected: str) -> None:
    rewritten(file, **changes)
    assert expected in refused(file).what


@pytest.mark.parametrize(
    "change",
    [
        {"format": "lifelike-bundle-99"},
        {"surprise": 1},
        {"generator": {"resolution": 100}},
        {"generator": "big"},
        {"method": "bundle"},
        {"name": None},
        {"pair": False},
        {"encoder": {"kind": "unheard of"}},
        {"encoder": {"kind": "e4e"}},
        {"encoder": 7},
        {"precision": "double"},
        {"identity": {"architecture": "ir_se50", "blocks": [10**9, 1, 1, 1]}},
        {"identity": {"widths": 3}},
        {"generator": {"mapping_layers": 10**9}},
        {"generator": {"resolution": 1 << 40}},
    ],
)
def test_wrong_cards_are_refused(bundle: Bundle, file: Path, change: dict[str, object]) -> None:
    card = json.loads(card_to_json(bundle.card)) | change
    save_file(load_file(file), file, {CARD_KEY: json.dumps({k: v for k, v in card.items() if v is not None})})
    refused(file)


def test_bundles_are_found_by_name_and_by_path(
    bundle: Bundle, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIFELIKE_HOME", str(tmp_path / "home"))
    from lifelike.bundles.registry import user_folder

    user_folder().mkdir(parents=True)
    bundle.save(user_folder() / "mine.safetensors")
    (user_folder() / "broken.safetensors").write_bytes(b"nothing")
    assert load_bundle("mine").card == bundle.card
    assert load_bundle(str(file)).card == bundle.card
    names = [summary.name for summary in list_bundles()]
    assert "mine" in names
    assert "broken" not in names
    with pytest.raises(LifelikeError) as caught:
        find_bundle("nobody's")
    assert caught.value.code is ErrorCode.UNKNOWN_BUNDLE
    assert "mine" in caught.value.remedy


@pytest.mark.parametrize("named", ["./{}", "{}", "../{here}/{}"])
def test_a_file_of_this_folder_is_a_path(
    bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: str
) -> None:
    bundle.save(tmp_path / "mine.safetensors")
    monkeypatch.chdir(tmp_path)
    assert find_bundle(named.format("mine.safetensors", here=tmp_path.name)).samefile("mine.safetensors")


def test_a_bare_name_is_no_folder_of_this_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine").mkdir()
    monkeypatch.chdir(tmp_path)
    assert find_bundle("./mine").samefile("mine")
    with pytest.raises(LifelikeError, match="no bundle 'mine'"):
        find_bundle("mine")


def test_a_failed_save_leaves_the_old_bundle(bundle: Bundle, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = file.read_bytes()
    monkeypatch.setattr("lifelike.networks.weights.save_file", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        bundle.save(file)
    assert file.read_bytes() == before
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_tensors_are_not_read_before_their_sizes_are_right(
    bundle: Bundle, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rewritten(file, **{"photo.b4.const": torch.zeros(1000, 4, 4)})
    monkeypatch.setattr("lifelike.bundles.bundle.read_tensors", lambda *_: pytest.fail("read"))
    refused(file)


@pytest.mark.parametrize("published", [False, True])
def test_single_precision_keeps_every_bit(tmp_path: Path, published: bool) -> None:
    bundle = small_bundle(published=published)
    bundle.card = evolve(bundle.card, precision="single")
    bundle.save(tmp_path / "exact.safetensors")
    before, after = bundle.tensors(), read_bundle(tmp_path / "exact.safetensors").tensors()
    assert before.keys() == after.keys()
    for name, value in before.items():
        assert after[name].dtype == value.dtype
        assert torch.equal(after[name], value), name


def test_a_card_says_nothing_of_what_old_readers_do_not_know(bundle: Bundle) -> None:
    values = json.loads(card_to_json(bundle.card))
    assert not {"pair", "precision", "non_commercial", "citation", "sources"} & values.keys()
    assert "kind" not in values["encoder"]


def test_terms_and_sources_come_back(tmp_path: Path) -> None:
    bundle = small_bundle(pair=False, published=True)
    source = {"file": "ffhq.pkl", "sha256": "0" * 64, "format": "NVIDIA PyTorch pickle", "licence": "none"}
    bundle.card = evolve(bundle.card, non_commercial=True, citation="A, B and C", sources=(source,))
    bundle.save(tmp_path / "single.safetensors")
    assert read_card(tmp_path / "single.safetensors") == bundle.card


def test_the_file_of_a_loaded_bundle_may_change(file: Path) -> None:
    loaded = read_bundle(file)
    before = {name: value.clone() for name, value in loaded.tensors().items()}
    with file.open("r+b") as opened:
        opened.seek(file.stat().st_size // 2)
        opened.write(bytes(file.stat().st_size // 2))
    assert all(torch.equal(value, before[name]) for name, value in loaded.tensors().items())


def test_the_shared_noise_takes_memory_once(file: Path) -> None:
    bundle = read_bundle(file).to("cpu")
    assert bundle.render is not None
    for resolution in bundle.card.generator.resolutions:
        noise, twin = (g.synthesis.block(resolution).conv1.noise_const for g in (bundle.photo, bundle.render))
        assert noise.data_ptr() == twin.data_ptr()


def test_a_bundle_without_encoder_loads_and_refuses_to_invert(bundle: Bundle, tmp_path: Path) -> None:
    only = assemble_bundle(bundle.photo, name="only", description="", licence="CC0-1.0")
    only.save(tmp_path / "only.safetensors")
    again = read_bundle(tmp_path / "only.safetensors")
    assert again.single
    with torch.inference_mode():
        z = torch.randn(1, 16)
        assert torch.allclose(again.photo(z), bundle.photo(z), atol=0.02)  # stored in half precision
    with pytest.raises(LifelikeError, match="no encoder") as caught:
        transfer_portraits(again, torch.zeros(1, 3, 64, 64))
    assert caught.value.code is ErrorCode.INVALID_BUNDLE
    assert "import" in caught.value.remedy


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ({"num_ws": 4}, "4 × 16 latents"),
        ({"w_dim": 8}, "10 × 8 latents"),
        ({"resolution": 128}, "reads 128 pixels"),
    ],
)
def test_encoders_for_other_generators_are_refused(bundle: Bundle, sizes: dict[str, int], expected: str) -> None:
    fitting = small_bundle(published=True).card.encoder
    with pytest.raises(LifelikeError, match=expected):
        assemble_bundle(bundle.photo, encoder=E4e(evolve(fitting, **sizes)), name="", description="", licence="")


def test_a_bundle_takes_no_memory_before_it_is_read(bundle: Bundle) -> None:
    assert all(value.is_meta for value in empty_bundle(bundle.card).tensors().values())


def test_what_half_precision_cannot_hold_keeps_single(tmp_path: Path) -> None:
    bundle = small_bundle(published=True)
    variance = bundle.encoder.body[0].res_layer[0].running_var
    variance.fill_(1e6)
    bundle.save(tmp_path / "large.safetensors")
    again = read_bundle(tmp_path / "large.safetensors")
    assert torch.equal(again.encoder.body[0].res_layer[0].running_var, variance)
    assert load_file(tmp_path / "large.safetensors")["photo.b4.const"].dtype is torch.float16


MEASURED = """
import sys
from pathlib import Path
import torch
from lifelike.bundles import read_bundle
from lifelike.bundles import file

def resident(name):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))

file.MAPPED_AT_ONCE = 4 << 20
small, large = map(Path, sys.argv[1:])
read_bundle(small).to("cpu")
before = resident("VmRSS")
bundle = read_bundle(large).to("cpu")
print((resident("VmHWM") - before) / sum(value.nbytes for value in bundle.tensors().values()))
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux tells a process its peak of memory")
def test_loading_takes_a_bundles_size_in_memory_once(tmp_path: Path, file: Path) -> None:
    card = small_bundle().card
    wide = E4eSettings(64, card.generator.num_ws, 16, widths=(64, 128, 256, 512), blocks=(1, 1, 1, 4))
    large = tmp_path / "large.safetensors"
    Bundle(evolve(card, encoder=wide, precision="single")).save(large)
    words = [sys.executable, "-c", MEASURED, str(file), str(large)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 1.5
