"""Pictures of a recorded rollout: rendered where this machine can, drawn as a skeleton where it cannot.

Bare Linux has no GL, and MuJoCo reads `MUJOCO_GL` once, on import. So what works here is found out in a process that
may die of it, and the choice is made before this process imports mujoco: call `use_gl` first thing, or render in a
process of its own. No missing or broken GL ever raises from here; the frames' notes say what was done instead.
"""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from video2reward.memory.errors import BadInput
from video2reward.sim.config import RobotConfig, robot_config

Gl = Literal["egl", "osmesa"]
GL_VARIABLE = "V2R_GL"
"""Set to `egl`, `osmesa` or `none` to skip the search (and, with `none`, to force the drawn pictures).

Where it is not set, MuJoCo's own `MUJOCO_GL` is obeyed in the same way."""

_NO_GL = ("none", "disable", "disabled", "off", "false", "0")  # MuJoCo's own words, and ours
_PROBE = """
import mujoco
model = mujoco.MjModel.from_xml_string("<mujoco><worldbody><light/><geom size='1'/></worldbody></mujoco>")
data = mujoco.MjData(model)
mujoco.mj_forward(model, data)
renderer = mujoco.Renderer(model, 32, 32)
renderer.update_scene(data)
assert renderer.render().any()
renderer.close()
"""

CAMERA_ELEVATION_DEG = -8.0
FOV_DEG = 38.0
_AZIMUTH_DEG = {"right": 90.0, "left": -90.0, "front": 180.0}
FOLLOW_S = 0.6
"""The camera follows the trunk's mean over this long: it pans evenly, and the trunk's bob and surge stay visible."""


@dataclass(frozen=True)
class Recording:
    """One environment of a rollout, over time: T control steps, F feet, J joints; world frame, metres, wxyz."""

    robot: RobotConfig
    env_id: int
    control_dt_s: float
    physics_dt_s: float
    base_pos_w: np.ndarray
    base_quat_w: np.ndarray
    joint_pos: np.ndarray
    root_pos_w: np.ndarray
    mid_pos_w: np.ndarray
    foot_pos_w: np.ndarray
    foot_contact: np.ndarray
    command_speed_m_s: float
    fell_at_s: float

    @property
    def duration_s(self) -> float:
        return len(self.base_pos_w) * self.control_dt_s

    @property
    def heading_rad(self) -> np.ndarray:
        """Yaw of the trunk, (T,), without jumps at half a turn."""
        w, x, y, z = self.base_quat_w.T
        return np.unwrap(np.arctan2(2 * (w * z + x * y), 1 - 2 * (y * y + z * z)))


@dataclass(frozen=True)
class RobotFrames:
    """RGB frames (T, height, width, 3) uint8 at a uniform rate from `start_s` on, and how they were made."""

    frames: np.ndarray
    fps: float
    start_s: float
    gl: Gl | None
    notes: tuple[str, ...] = ()


@functools.cache
def choose_gl() -> Gl | None:
    """Return the first GL that draws a picture on this machine, tried in processes of their own; None without any."""
    wanted = (os.environ.get(GL_VARIABLE) or os.environ.get("MUJOCO_GL") or "").lower()
    if wanted in _NO_GL:
        return None
    candidates: tuple[Gl, ...] = ("egl", "osmesa")
    for gl in [gl for gl in candidates if gl == wanted] or candidates:
        try:
            done = subprocess.run(
                [sys.executable, "-c", _PROBE], env={**os.environ, "MUJOCO_GL": gl}, capture_output=True, timeout=60
            )
        except (OSError, subprocess.TimeoutExpired):
            continue
        if done.returncode == 0:
            return gl
    return None


def use_gl() -> Gl | None:
    """Make this process render with what `choose_gl` found; of use only before mujoco is imported."""
    gl = choose_gl()
    if gl and "mujoco" not in sys.modules:
        os.environ["MUJOCO_GL"] = gl
    return gl


def load_recording(rollout: Path, env_id: int | None = None) -> Recording:
    """Read one environment of `rollout.npz`; by default the typical one, so that the picture is nobody's best."""
    try:
        with np.load(rollout) as file:
            arrays = {name: file[name] for name in file.files}
        meta = json.loads(str(arrays["meta_json"]))
        chosen = typical_env(arrays) if env_id is None else env_id
        return Recording(
            robot=robot_config(meta["robot"]),
            env_id=chosen,
            control_dt_s=meta["control_dt_s"],
            physics_dt_s=meta["physics_dt_s"],
            command_speed_m_s=meta["command_speed_m_s"],
            fell_at_s=float(arrays["fell_at_s"][chosen]),
            **{
                name: arrays[name][:, chosen]
                for name in (
                    "base_pos_w", "base_quat_w", "joint_pos", "root_pos_w", "mid_pos_w", "foot_pos_w", "foot_contact"
                )
            },
        )  # fmt: skip
    except (OSError, ValueError, KeyError, IndexError) as error:
        raise BadInput(f"{rollout} is not a readable rollout: {error}.", "Roll the policy out again.") from None


def typical_env(arrays: dict[str, np.ndarray]) -> int:
    """Return the environment whose survival time, then distance, is the median."""
    travelled_m = np.linalg.norm(arrays["base_pos_w"][-1, :, :2] - arrays["base_pos_w"][0, :, :2], axis=-1)
    survived_s = np.minimum(arrays["fell_at_s"], 1e6)
    order = np.lexsort((travelled_m, survived_s))
    # The typical one among those that fared alike: where most stand, one that stands.
    alike = order[survived_s[order] == survived_s[order[len(order) // 2]]]
    return int(alike[len(alike) // 2])


def render_rollout(
    recording: Recording,
    *,
    fps: float = 25.0,
    start_s: float = 1.0,
    seconds: float = 6.0,
    width: int = 480,
    height: int = 360,
    facing: Literal["left", "right"] = "right",
    view: Literal["side", "front"] = "side",
) -> RobotFrames:
    """Picture the robot from its side, the camera following, walking to the left or to the right of the picture.

    The view from the front has it walk towards the camera; without GL there is only the side.

    Times are clamped to what was recorded. Never raises for want of GL: then the robot is drawn as a skeleton.
    """
    end_s = min(start_s + seconds, recording.duration_s - recording.control_dt_s)
    start_s = max(0.0, min(start_s, end_s - 1.0 / fps))
    times_s = start_s + np.arange(max(1, round((end_s - start_s) * fps))) / fps
    gl, notes = use_gl(), ()
    if gl:
        try:
            frames = _rendered(recording, times_s, width, height, facing if view == "side" else view)
            return RobotFrames(frames, fps, start_s, gl)
        except Exception as error:  # A driver may fail in any way it likes; the drawing below needs none.
            notes = (f"rendering with {gl} failed ({type(error).__name__}: {error}); the robot is drawn as a skeleton",)
    else:
        notes = ("no GL library works here (install libegl1 and libgl1); the robot is drawn as a skeleton",)
    from video2reward.sim.skeleton import draw_skeleton

    frames = np.stack([draw_skeleton(recording, time_s, width, height, facing) for time_s in times_s])
    return RobotFrames(frames, fps, start_s, None, notes)


def _rendered(recording: Recording, times_s: np.ndarray, width: int, height: int, view: str) -> np.ndarray:
    import mujoco
    from video2reward.sim.robots.model import load_model

    robot = recording.robot
    model = load_model(robot, visual=True)
    model.vis.quality.offsamples = 0
    model.vis.global_.offwidth, model.vis.global_.offheight = width, height
    model.vis.global_.fovy = FOV_DEG
    data = mujoco.MjData(model)
    qpos = _at(
        times_s, recording.control_dt_s, np.hstack([recording.base_pos_w, recording.base_quat_w, recording.joint_pos])
    )
    span = round(FOLLOW_S / recording.control_dt_s)
    path = np.column_stack([recording.base_pos_w[:, :2], recording.heading_rad])
    path = _at(times_s, recording.control_dt_s, _smooth(path, span))
    camera = mujoco.MjvCamera()
    quadruped = robot.kind == "quadruped"
    camera.distance = robot.standing_height_m * (4.6 if quadruped else 3.1)
    camera.elevation = CAMERA_ELEVATION_DEG
    look_z_m = robot.standing_height_m * (0.75 if quadruped else 0.84)
    renderer = mujoco.Renderer(model, height, width)
    try:
        for flag in (mujoco.mjtRndFlag.mjRND_SHADOW, mujoco.mjtRndFlag.mjRND_REFLECTION):
            renderer.scene.flags[flag] = 0
        frames = np.empty((len(times_s), height, width, 3), np.uint8)
        for index, (pose, (x, y, yaw)) in enumerate(zip(qpos, path, strict=True)):
            data.qpos[:] = pose
            mujoco.mj_kinematics(model, data)
            mujoco.mj_camlight(model, data)
            camera.lookat[:] = x, y, look_z_m
            camera.azimuth = np.degrees(yaw) + _AZIMUTH_DEG[view]
            renderer.update_scene(data, camera)
            renderer.render(out=frames[index])
    finally:
        renderer.close()
    return frames


def _at(times_s: np.ndarray, dt_s: float, values: np.ndarray) -> np.ndarray:
    """Interpolate rows of `values`, recorded every `dt_s`; MuJoCo renormalises the quaternions among them."""
    grid_s = np.arange(len(values)) * dt_s
    return np.column_stack([np.interp(times_s, grid_s, column) for column in values.T])


def _smooth(values: np.ndarray, span: int) -> np.ndarray:
    """Return the centred moving average over `span` rows, the ends held straight by extrapolation."""
    span = max(1, min(span, len(values)) // 2 * 2 - 1)
    half = span // 2
    if half == 0:
        return values
    steps = np.arange(1, half + 1)[:, None]
    slope_in = (values[half] - values[0]) / half
    slope_out = (values[-1] - values[-1 - half]) / half
    padded = np.vstack([values[0] - steps[::-1] * slope_in, values, values[-1] + steps * slope_out])
    kernel = np.ones(span) / span
    return np.column_stack([np.convolve(column, kernel, mode="valid") for column in padded.T])
