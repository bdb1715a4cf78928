# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs in a Blender with windows: does what a person does, with the pointer and the keys, and tells what came of it.

Opened with the example avatar's file. Arguments after "--": the folder for screenshots.
"""

import os
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import addon
import bpy

SHOTS = Path(sys.argv[-1])
BUTTON, INVERSION = 51, 199  # pixels from the sidebar's top to the middle of the button, and of that panel's header
if os.environ.get("LIFELIKE_IN_CHROOT"):
    os.environ["PATH"] = os.defpath  # the programs beside this Blender, not the ones that lead here
SIDEBAR = 620  # pixels of the sidebar's height that the panel takes at most
Steps = Iterator[float]


class Screen:
    """The window that the test acts in."""

    def __init__(self) -> None:
        self.window = bpy.context.window_manager.windows[0]
        known = list(self.window.screen.areas)
        self.viewport = next(area for area in known if area.type == "VIEW_3D")
        with bpy.context.temp_override(window=self.window, area=self.viewport):
            bpy.ops.screen.area_split(direction="VERTICAL", factor=0.6)
        self.editor = next(area for area in self.window.screen.areas if area not in known)
        self.editor.type = "IMAGE_EDITOR"
        if self.editor.x < self.viewport.x:  # which half is the new one differs
            raise RuntimeError("the Image Editor came out on the left")

    @property
    def sidebar(self) -> bpy.types.Region:
        return next(region for region in self.viewport.regions if region.type == "UI")

    def open_sidebar(self, area: bpy.types.Area) -> Steps:
        area.spaces.active.show_region_ui = True
        area.tag_redraw()
        yield 0.5
        next(region for region in area.regions if region.type == "UI").active_panel_category = "Lifelike"
        area.tag_redraw()
        yield 0.5

    def press(self, below: int = BUTTON) -> Steps:
        """Click in the middle of the sidebar, so many pixels below its top."""
        sidebar = self.sidebar
        x, y = sidebar.x + sidebar.width // 2 - 20, self.window.height - (sidebar.y + sidebar.height - below)
        for step in (["mousemove", x - 5, y - 2], ["mousemove", x, y], ["click", 1], ["mousemove", 300, 300]):
            _person(*step)
            yield 0.3

    def shoot(self, name: str, region: bpy.types.Region | bpy.types.Area | None = None) -> None:
        """The whole screen, or one part of it."""
        if region is None:
            self._shoot(name, 0, 0, self.window.width, self.window.height)
        else:
            top = self.window.height - region.y - region.height
            shown = SIDEBAR if region.type == "UI" else region.height
            self._shoot(name, region.x, top, region.width, shown)

    def shoot_preferences(self, name: str) -> None:
        """The part of the Preferences' window that is this add-on's."""
        x, y, width, height = self._place_of("Preferences")
        self._shoot(name, x + width // 4, y + int(height * 0.42), width * 3 // 4, int(height * 0.46))

    def _shoot(self, name: str, x: int, y: int, width: int, height: int) -> None:
        crop = ["-crop", f"{width}x{height}+{x}+{y}", "+repage"]
        subprocess.run(["import", "-window", "root", *crop, str(SHOTS / f"{name}.png")], check=True, timeout=120)

    def _place_of(self, title: str) -> tuple[int, int, int, int]:
        """x, y, width and height on the screen of the window with that title, y downwards."""
        said = subprocess.run(
            ["xdotool", "search", "--name", title, "getwindowgeometry", "--shell"],
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        ).stdout
        values = dict(line.split("=", 1) for line in said.splitlines() if "=" in line)
        return int(values["X"]), int(values["Y"]), int(values["WIDTH"]), int(values["HEIGHT"])


def _person(*action: object) -> None:
    subprocess.run(["xdotool", *map(str, action)], check=True, timeout=60)


def _until(condition: Callable[[], bool], what: str, seconds: float = 240.0) -> Steps:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(what)
        yield 0.02


def _first_picture(screen: Screen) -> Steps:
    from bl_ext.user_default.lifelike.backend import THE_BACKEND
    from bl_ext.user_default.lifelike.outcome import LAST_RUN

    screen.shoot("panel_stopped", screen.sidebar)
    yield from screen.press(INVERSION)
    screen.shoot("panel_inversion", screen.sidebar)
    yield from screen.press(INVERSION)
    screen.shoot("panel_closed", screen.sidebar)
    yield from screen.press()
    yield from _until(lambda: THE_BACKEND.busy, "the button starts nothing", 30.0)
    states, fractions, turns = [], [], 0
    while THE_BACKEND.busy:
        turns += 1
        states.append(THE_BACKEND.state.name)
        fractions.append(THE_BACKEND.job.fraction)
        yield 0.02
    yield from _until(lambda: LAST_RUN.outcome is not None or LAST_RUN.failure is not None, "no result")
    changes = [fraction for fraction, before in zip(fractions, [-1.0, *fractions], strict=False) if fraction != before]
    addon.tell(states=sorted(set(states)), fractions=changes, turns=turns, failure=str(LAST_RUN.failure or ""))
    yield 1.0
    image = LAST_RUN.outcome.image
    shown = screen.editor.spaces.active.image
    addon.tell(
        image=image.name,
        size=list(image.size),
        shown=shown.name if shown else "",
        faces=[face.name for face in LAST_RUN.outcome.faces],
    )
    screen.shoot("panel_result", screen.sidebar)
    screen.shoot("interface")


def _undo(screen: Screen) -> Steps:
    name = "Lifelike Scene"
    with bpy.context.temp_override(window=screen.window, area=screen.viewport):
        bpy.ops.ed.undo()
    yield 0.5
    addon.tell(after_undo=name in bpy.data.images)
    with bpy.context.temp_override(window=screen.window, area=screen.viewport):
        bpy.ops.ed.redo()
    yield 0.5
    addon.tell(after_redo=name in bpy.data.images)


def _frozen_at_work(screen: Screen) -> Steps:
    """Presses the button and leaves the backend's process stopped in the middle of the picture.

    The process is stopped before the button and then let run for a few milliseconds at a time: on a fast machine the
    whole picture takes less than one turn of the interface.
    """
    from bl_ext.user_default.lifelike.backend import THE_BACKEND

    for _ in range(8):
        yield from _until(lambda: THE_BACKEND.state.name == "READY", "the backend is not ready")
        process = THE_BACKEND.pid
        os.kill(process, signal.SIGSTOP)
        yield from screen.press()
        yield from _until(lambda: THE_BACKEND.busy, "the button starts nothing", 30.0)
        deadline = time.monotonic() + 120.0
        while THE_BACKEND.job.fraction == 0 and THE_BACKEND.busy and time.monotonic() < deadline:
            os.kill(process, signal.SIGCONT)
            time.sleep(0.004)
            os.kill(process, signal.SIGSTOP)
            yield 0.02
        if THE_BACKEND.busy and THE_BACKEND.job.fraction > 0:
            return
        os.kill(process, signal.SIGCONT)  # it was done first; once more
        yield 1.0
    raise TimeoutError("the backend always finishes first")


def _escape(screen: Screen) -> Steps:
    from bl_ext.user_default.lifelike.backend import THE_BACKEND

    yield from _frozen_at_work(screen)
    screen.shoot("panel_working", screen.sidebar)
    _person("key", "Escape")
    yield from _until(lambda: not THE_BACKEND.busy, "ESC does nothing", 30.0)
    addon.tell(after_escape=[THE_BACKEND.job.state.name, THE_BACKEND.state.name])
    os.kill(THE_BACKEND.pid, signal.SIGCONT)
    for _ in range(60):  # it looks for a cancel between its steps
        answers = THE_BACKEND.answers
        THE_BACKEND.ask()
        yield from _until(lambda known=answers: THE_BACKEND.answers > known, "the backend does not answer after ESC")
        if not THE_BACKEND.status.working_on:
            break
        yield 0.5
    addon.tell(backend_works_on=THE_BACKEND.status.working_on)


def _death(screen: Screen) -> Steps:
    from bl_ext.user_default.lifelike.backend import THE_BACKEND
    from bl_ext.user_default.lifelike.outcome import LAST_RUN

    yield from _frozen_at_work(screen)
    os.kill(THE_BACKEND.pid, signal.SIGKILL)
    yield from _until(lambda: not THE_BACKEND.busy, "the death goes unseen", 10.0)
    yield from _until(lambda: LAST_RUN.failure is not None, "the operator does not report")
    yield 0.5
    addon.tell(after_death=THE_BACKEND.state.name, mend=THE_BACKEND.failure.mend.value)
    for x in (1400, 1450, 1500):  # the report closes when the pointer leaves it
        _person("mousemove", x, 900)
        yield 0.7
    screen.shoot("panel_failed", screen.sidebar)
    with bpy.context.temp_override(window=screen.window, area=screen.viewport, region=screen.sidebar):
        bpy.ops.lifelike.start_backend(restart=True)
    yield from _until(lambda: THE_BACKEND.state.name != "STARTING", "the backend does not start again")
    addon.tell(after_restart=THE_BACKEND.state.name)


def _other_panels(screen: Screen) -> Steps:
    screen.viewport.type = "IMAGE_EDITOR"
    screen.viewport.spaces.active.image = bpy.data.images["Lifelike Scene"]
    yield from screen.open_sidebar(screen.viewport)
    screen.shoot("panel_image_editor", screen.viewport)
    screen.viewport.type = "PROPERTIES"
    yield 0.5  # it knows its tabs once it is drawn
    screen.viewport.spaces.active.context = "RENDER"
    yield 0.5
    body = next(region for region in screen.viewport.regions if region.type == "WINDOW")
    with bpy.context.temp_override(window=screen.window, area=screen.viewport, region=body):
        for _ in range(60):
            bpy.ops.view2d.scroll_down(deltay=-40)
    yield 1.0
    screen.shoot("panel_render", screen.viewport)
    screen.viewport.type = "VIEW_3D"
    preferences = bpy.context.preferences.addons[addon.ADDON].preferences
    preferences.python = "~/lifelike/.venv"  # the test's own path says nothing to a reader
    _person("mousemove", 700, 500)  # the window opens under the pointer, and must fit on the screen
    yield 0.5
    bpy.ops.lifelike.open_preferences()
    yield 1.5
    screen.shoot_preferences("preferences")
    preferences.python = ""
    addon.tell(windows=len(bpy.context.window_manager.windows))
    with bpy.context.temp_override(window=bpy.context.window_manager.windows[-1]):
        bpy.ops.wm.window_close()
    yield from screen.open_sidebar(screen.viewport)


def _steps() -> Steps:
    from bl_ext.user_default.lifelike.backend import THE_BACKEND

    screen = Screen()
    bpy.context.scene.cycles.use_denoising = False  # not in every build of Blender
    bpy.context.scene.lifelike.source = "RENDER"
    bpy.ops.render.render()
    screen.editor.spaces.active.image = bpy.data.images["Render Result"]
    screen.viewport.spaces.active.region_3d.view_perspective = "CAMERA"
    yield from screen.open_sidebar(screen.viewport)
    yield from _first_picture(screen)
    yield from _undo(screen)
    yield from _escape(screen)
    yield from _death(screen)
    yield from _other_panels(screen)
    yield from _frozen_at_work(screen)
    addon.tell(quits_while=THE_BACKEND.state.name, backend=THE_BACKEND.pid)


def _play(steps: Steps) -> None:
    def turn() -> float | None:
        try:
            return next(steps)
        except StopIteration:
            addon.tell(played=True)
        except Exception:
            traceback.print_exc()
        bpy.ops.wm.quit_blender()
        return None

    bpy.app.timers.register(turn, first_interval=1.0, persistent=True)


addon.enable()
_play(_steps())
