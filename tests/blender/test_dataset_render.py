# SPDX-License-Identifier: GPL-3.0-or-later
"""`lifelike dataset render` with real Blenders: what the pictures are, and what happens when something is wrong."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from attrs import evolve
from typer.testing import CliRunner
from versioned_blender import REPOSITORY, Blender

from lifelike.cli import app
from lifelike.datasets.dataset import open_dataset
from lifelike.datasets.decoding import read_rgb
from lifelike.datasets.record import Record
from lifelike.datasets.rendering import blender as blenders
from lifelike.datasets.rendering.plan import RenderPlan
from lifelike.datasets.rendering.render import Tally, render_dataset
from lifelike.faces.alignment import portrait_transform
from lifelike_protocol.errors import ErrorCode, LifelikeError
from lifelike_protocol.shots import ShotSettings

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

pytestmark = pytest.mark.timeout(900)
"""Blender starts often here; on machines that do other work each start takes long."""

SIZE = 48
SETTINGS = ShotSettings(seed=5, resolution=SIZE, samples=1)

# In its photo look this hook shows nothing but a small glowing ball on the tip of the nose.
NOSE = """
import bpy
import numpy as np
LOOKS = ("render", "photo")
def landmarks(shot):
    head = bpy.data.objects["Head"].evaluated_get(bpy.context.evaluated_depsgraph_get())
    return np.array([head.matrix_world @ head.data.vertices[n].co for n in range(68)])
def look(shot, name):
    ball = bpy.data.objects.get("ball")
    if ball is None:
        bpy.ops.mesh.primitive_uv_sphere_add(radius=0.03, location=landmarks(shot)[30])
        ball = bpy.context.object
        ball.name = "ball"
        material = bpy.data.materials.new("glow")
        material.use_nodes = True
        shader = material.node_tree.nodes["Principled BSDF"]
        shader.inputs["Emission Color"].default_value = (1, 1, 1, 1)
        shader.inputs["Emission Strength"].default_value = 1.0
        ball.data.materials.append(material)
    shot.scene.cycles.samples = 1 if name == "render" else 64
    ball.hide_render = name == "render"
    bpy.data.objects["Head"].hide_render = name == "photo"
    shot.scene.world = bpy.data.worlds.new("dark") if name == "photo" else shot.scene.world
    for item in shot.scene.objects:
        if item.type == "LIGHT":
            item.hide_render = name == "photo"
"""


@pytest.fixture
def scenes(blender: Blender) -> dict[str, Any]:
    """Scene files made by this version of Blender, by what they are."""
    report: dict[str, Any] = blender.report("dataset_scenes")
    return report


@pytest.fixture
def program(blender: Blender) -> blenders.Blender:
    return blenders.find_blender(Path(blender.python))


only_newest = pytest.mark.parametrize("blender", ["5.0"], indirect=True)
"""What does not depend on Blender's version is tried in one of them, for the time it takes."""


def plan_of(scene: str, count: int = 2, **changes: Any) -> RenderPlan:
    return evolve(RenderPlan((Path(scene),), SETTINGS, count), **changes)


def hook_file(folder: Path, text: str) -> Path:
    file = folder / "hook.py"
    file.write_text(text, encoding="utf-8")
    return file


def contents(folder: Path) -> dict[str, tuple[str, str]]:
    """Everything that must be the same when a data set is made again: by picture, its hash and its line."""
    records = open_dataset(folder).records
    for record in records:
        assert hashlib.sha256((folder / record.file).read_bytes()).hexdigest() == record.sha256
    return {record.file: (record.sha256, json.dumps(record.attributes, sort_keys=True)) for record in records}


def crop_error(record: Record) -> float:
    """How far the corners of FFHQ's crop for the record's landmarks lie from the picture's."""
    assert record.landmarks is not None
    transform = portrait_transform(record.landmarks, SIZE)
    corners = np.array([[0, 0, 1], [SIZE, 0, 1], [SIZE, SIZE, 1], [0, SIZE, 1]], np.float64)
    return float(np.abs((transform @ corners.T).T - corners).max())


def test_portraits_are_ffhqs_crop_and_landmarks_lie_where_the_picture_shows_them(
    scenes: dict[str, Any], program: blenders.Blender, tmp_path: Path
) -> None:
    hook = hook_file(tmp_path, NOSE)
    scene_before = Path(scenes["character"]).read_bytes()
    render_dataset(plan_of(scenes["character"], hook=hook), program, tmp_path / "out")
    data = open_dataset(tmp_path / "out")
    assert [record.look for record in data.records] == ["render", "photo"] * 2
    for record in data.records:
        assert crop_error(record) < 0.1
        assert abs(record.attributes["yaw"]) <= 25.001
        assert abs(record.attributes["pitch"]) <= 10.001
    for record in data.records[1::2]:
        assert record.landmarks is not None
        weight = (read_rgb(tmp_path / "out" / record.file).astype(np.float64).sum(axis=2) > 384) * 1.0
        y, x = np.indices(weight.shape) + 0.5
        middle = np.array([(x * weight).sum(), (y * weight).sum()]) / weight.sum()
        assert np.abs(middle - record.landmarks[30]).max() < 0.5
    assert Path(scenes["character"]).read_bytes() == scene_before


@only_newest
def test_looks_share_everything_but_the_look(scenes: dict[str, Any], program: blenders.Blender, tmp_path: Path) -> None:
    hook = hook_file(
        tmp_path,
        "LOOKS = ('render', 'photo')\n"
        "def person(shot):\n    return {'identity': str(500 + shot.person), 'attributes': {'age': 0.5}}\n"
        "def look(shot, name):\n    shot.scene.view_settings.exposure = 1.5 if name == 'photo' else 0.0\n",
    )
    settings = evolve_settings(poses=2, match_exposure=True, lit=1.0)
    render_dataset(plan_of(scenes["character"], 3, hook=hook, settings=settings), program, tmp_path / "out")
    records = open_dataset(tmp_path / "out").records
    assert [record.identity for record in records] == ["500"] * 4 + ["501"] * 2
    for render, photo in zip(records[::2], records[1::2], strict=True):
        assert render.pair == photo.pair != ""
        assert render.attributes == photo.attributes
        assert np.array_equal(render.landmarks, photo.landmarks)
        # One and a half stops brighter, and brought back by the exposure that is matched to the other look's face.
        assert render.attributes["exposure"]["photo"] == pytest.approx(-1.5, abs=0.1)
        pictures = [read_rgb(tmp_path / "out" / record.file).mean() for record in (render, photo)]
        assert pictures[0] == pytest.approx(pictures[1], abs=2.0)
    assert len({record.pair for record in records}) == 3


@only_newest
def test_a_killed_run_continues_and_the_pictures_are_the_same(
    scenes: dict[str, Any], blender: Blender, program: blenders.Blender, tmp_path: Path
) -> None:
    plan = plan_of(scenes["character"], 5)
    render_dataset(plan, program, tmp_path / "whole")
    render_dataset(plan, program, tmp_path / "two at a time", jobs=2)
    assert contents(tmp_path / "two at a time") == contents(tmp_path / "whole")

    broken = tmp_path / "broken"
    command = [sys.executable, "-m", "lifelike", "dataset", "render", scenes["character"], "-o", str(broken)]
    command += ["--count", "5", "--seed", "5", "--resolution", str(SIZE), "--samples", "1", "--blender", blender.python]
    paths = os.pathsep.join(str(REPOSITORY / part) for part in ("shared", "backend"))
    run = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": paths}, stderr=subprocess.DEVNULL)
    index = broken / "dataset.jsonl"
    while not index.exists():
        assert run.poll() is None
        time.sleep(0.02)
    children = psutil.Process(run.pid).children(recursive=True)
    run.kill()
    run.wait()
    psutil.wait_procs(children, timeout=30)
    assert not [child for child in children if child.is_running()], "Blender outlived the command"
    with index.open("a", encoding="utf-8") as file:
        file.write('{"file":"pictures/0000/00000')
    (broken / ".rendering-left").mkdir()

    seen: list[Tally] = []
    render_dataset(plan, program, broken, on_shot=lambda tally: seen.append(evolve_tally(tally)))
    assert 0 < seen[0].waiting < 5, "what was there is not made again"
    assert contents(broken) == contents(tmp_path / "whole")
    assert not list(broken.glob(".rendering-*"))
    with pytest.raises(LifelikeError, match="yaw") as caught:
        render_dataset(plan_of(scenes["character"], settings=evolve_settings(yaw=(0.0, 1.0))), program, broken)
    assert caught.value.code is ErrorCode.INVALID_SETTING


def evolve_settings(**changes: Any) -> ShotSettings:
    return ShotSettings.of_plain(SETTINGS.to_plain() | changes)


def evolve_tally(tally: Tally) -> Tally:
    return evolve(tally)


@only_newest
def test_a_face_that_the_scene_does_not_know_is_found_in_the_picture(
    blender: Blender, program: blenders.Blender, tmp_path: Path
) -> None:
    scene = blender.shared / "heads" / "scenes" / "avatar_1.blend"
    if not scene.exists():
        pytest.skip("needs the portrait scenes of the optional data folder (LIFELIKE_SHARED)")
    hook = hook_file(tmp_path, "def landmarks(shot):\n    return None\n")
    settings = evolve_settings(samples=2, resolution=128, head_turn=(0.0, 0.0, 0.0), yaw=(8.0, 8.0), pitch=(0.0, 0.0))
    render_dataset(RenderPlan((scene,), settings, 1, hook=hook), program, tmp_path / "found")
    # The same shot with the scene's landmarks, from as far away: the crops agree.
    found = open_dataset(tmp_path / "found").records[0]
    transform = portrait_transform(found.landmarks, 128)
    assert np.abs(transform - np.eye(3)).max() < 0.5
    assert found.attributes["yaw"] == pytest.approx(8.0)
    from lifelike.datasets.rendering.locator import locate_largest

    again = locate_largest(tmp_path / "found" / found.file)
    assert again is not None
    assert np.abs(again - found.landmarks).mean() < 0.04 * 128


@only_newest
@pytest.mark.parametrize(
    ("scene", "code", "words"),
    [
        ("walled in", ErrorCode.NO_FACE, "hidden"),
        ("cube", ErrorCode.NO_FACE, "no face was found"),
        ("empty", ErrorCode.NO_FACE, "neither landmarks nor a camera"),
    ],
)
def test_scenes_without_a_face_to_be_seen(
    scenes: dict[str, Any],
    program: blenders.Blender,
    tmp_path: Path,
    scene: str,
    code: ErrorCode,
    words: str,
) -> None:
    with pytest.raises(LifelikeError, match=words) as caught:
        render_dataset(plan_of(scenes[scene], settings=evolve_settings(attempts=1)), program, tmp_path / "out")
    assert caught.value.code is code
    assert not open_dataset_if_any(tmp_path / "out")


def open_dataset_if_any(folder: Path) -> list[Record]:
    return open_dataset(folder).records if (folder / "dataset.jsonl").exists() else []


@only_newest
def test_broken_scenes_and_hooks_are_one_sentence(
    scenes: dict[str, Any], program: blenders.Blender, tmp_path: Path
) -> None:
    cut = tmp_path / "cut.blend"
    cut.write_bytes(Path(scenes["character"]).read_bytes()[:4000])
    with pytest.raises(LifelikeError, match=r"cut\.blend") as caught:
        render_dataset(plan_of(str(cut)), program, tmp_path / "1")
    assert caught.value.code is ErrorCode.INVALID_FILE
    hook = hook_file(tmp_path, "def person(shot):\n\n    return 1 / 0\n")
    with pytest.raises(LifelikeError, match=r"hook\.py, line 3: ZeroDivisionError"):
        render_dataset(plan_of(scenes["character"], hook=hook), program, tmp_path / "2")
    with pytest.raises(LifelikeError, match="photo can't be made"):
        render_dataset(plan_of(scenes["character"], looks=("photo",)), program, tmp_path / "3")
    crash = hook_file(tmp_path, "import os\ndef person(shot):\n    os._exit(7)\n")
    with pytest.raises(LifelikeError, match="ended with status 7") as caught:
        render_dataset(plan_of(scenes["character"], 9, hook=crash), program, tmp_path / "4")
    assert caught.value.code is ErrorCode.BACKEND_GONE
    slow = hook_file(tmp_path, "import time\ndef person(shot):\n    time.sleep(600)\n")
    with pytest.raises(LifelikeError, match="did not answer"):
        render_dataset(plan_of(scenes["character"], 1, hook=slow), program, tmp_path / "5", shot_seconds=0.5)


@only_newest
def test_a_scenes_own_scripts_run_only_when_named(
    scenes: dict[str, Any], program: blenders.Blender, tmp_path: Path
) -> None:
    ran = Path(scenes["character"]).with_name("script_ran")
    hook = hook_file(
        tmp_path, "def person(shot):\n    return {'attributes': {'tint': shot.texts['mine.py']['tint']()}}\n"
    )
    render_dataset(plan_of(scenes["character"], 1), program, tmp_path / "1")
    assert not ran.exists()
    with pytest.raises(LifelikeError, match=r"no script 'yours\.py'") as caught:
        render_dataset(plan_of(scenes["character"], 1, texts=("yours.py",)), program, tmp_path / "2")
    assert "mine.py" in caught.value.remedy
    try:
        render_dataset(plan_of(scenes["character"], 1, hook=hook, texts=("mine.py",)), program, tmp_path / "3")
        assert ran.exists()
        assert open_dataset(tmp_path / "3").records[0].attributes["tint"] == [0.0, 1.0, 0.0]
    finally:
        ran.unlink(missing_ok=True)


def test_expressions_are_told_from_shapes_of_a_person(scenes: dict[str, Any]) -> None:
    assert scenes["keys"] == ["jawOpen", "smileLeft", "smileRight"]
    assert scenes["mirrored"] == {
        "smileLeft": "smileRight",
        "jawOpen": "",
        "mouthSmile_R": "mouthSmile_L",
        "brow.L": "brow.R",
        "frown": "",
    }


def test_a_shot_in_a_persons_own_session_leaves_everything_as_it_was(blender: Blender) -> None:
    report = blender.report("dataset_session")
    assert report["changed"] == []
    assert report["shot"]["head"] == "Head"
    assert report["shot"]["attributes"]["expression"]
    assert report["shot"]["attributes"]["head_turn"]


@only_newest
def test_the_wheel_carries_all_that_runs_inside_blender(
    scenes: dict[str, Any], program: blenders.Blender, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    settings = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
    included = settings["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    for source, place in included.items():
        target = tmp_path / place
        target.parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if (REPOSITORY / source).is_dir() else shutil.copy)(REPOSITORY / source, target)
    monkeypatch.setattr(blenders, "scripts_folder", lambda: tmp_path / "lifelike" / "blender_addon")
    render_dataset(plan_of(scenes["character"], 1), program, tmp_path / "out")
    assert len(open_dataset(tmp_path / "out").records) == 1


def test_no_blender_is_one_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    scene = tmp_path / "a.blend"
    scene.write_bytes(b"BLENDER-v402")
    monkeypatch.delenv(blenders.VARIABLE, raising=False)
    monkeypatch.setattr(blenders, "_usual", lambda: iter(()))
    for arguments in ([], ["--blender", str(tmp_path / "nowhere")], ["--blender", str(scene)]):
        done = CliRunner().invoke(app, ["dataset", "render", str(scene), "-o", str(tmp_path / "out"), *arguments])
        assert isinstance(done.exception, LifelikeError)
        assert done.exception.code is ErrorCode.NOT_RUNNING
        assert "Blender" in done.exception.what
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--yaw", "10", "-10"], "yaw goes from 10"),
        (["--yaw", "0", "120"], "yaw is 120"),
        (["--resolution", "4"], "resolution is 4"),
        (["--expressions", "(smile"], "no regular expression"),
        (["--looks", "drawing"], "drawing"),
        (["--hook-option", "first"], "NAME=VALUE"),
        (["--hdri", "nowhere.exr"], "nowhere.exr"),
        (["--hook", "nowhere.py"], "nowhere.py"),
        (["--config", "bad.toml"], "'yawn' is unknown"),
        (["--config", "kind.toml"], "poses is 'two'"),
    ],
)
def test_bad_settings_are_refused_before_anything_starts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, arguments: list[str], words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.blend").write_bytes(b"BLENDER-v402")
    Path("bad.toml").write_text("yawn = [0, 1]\n")
    Path("kind.toml").write_text("poses = 'two'\n")
    nobody = blenders.Blender(Path("/nowhere/blender"), "4.2.0", False)
    monkeypatch.setattr(blenders, "find_blender", lambda named: nobody)
    done = CliRunner().invoke(app, ["dataset", "render", "a.blend", "-o", "out", *arguments])
    assert isinstance(done.exception, LifelikeError)
    assert words in done.exception.what
    assert not Path("out").exists()


def test_a_text_file_is_no_scene(tmp_path: Path) -> None:
    scene = tmp_path / "notes.blend"
    scene.write_text("not a scene")
    nobody = blenders.Blender(Path("/nowhere/blender"), "4.2.0", False)
    with pytest.raises(LifelikeError, match=r"notes\.blend is no \.blend file"):
        render_dataset(plan_of(str(scene)), nobody, tmp_path / "out")
    with pytest.raises(LifelikeError, match="can't be read"):
        render_dataset(plan_of(str(tmp_path / "gone.blend")), nobody, tmp_path / "out")
