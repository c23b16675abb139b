"""A rollout as evidence: read from its file as a stranger's word, checked, and masked to what may be counted.

What is counted: the first second is start-up and dropped, and nothing after a fall counts. A fall is what the rollout
says or a trunk tilted over 53 degrees, whichever came first, so that a rollout cannot hide one.
"""

from __future__ import annotations

import io
import json
import tokenize
import zipfile
import zlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from video2reward.memory.errors import BadInput, V2RError
from video2reward.sim.config import RobotConfig, robot_config

START_UP_S = 1.0
MAX_TILT_COS = 0.6
"""The trunk's z axis against the vertical: below this cosine (53 degrees) a robot has fallen."""
MAX_PHYSICS_STEP_S = 0.005
_MAX_BYTES = 4 << 30
_FAR_M = 1000.0
_UNREADABLE = (
    OSError, ValueError, EOFError, MemoryError, RuntimeError, RecursionError, zipfile.BadZipFile, zlib.error,
    tokenize.TokenError
)  # fmt: skip
"""What a damaged or hostile archive can raise."""

Floats = NDArray[np.floating]
Bools = NDArray[np.bool_]


class BadRollout(V2RError):
    """The rollout's file is not one that the judge can believe."""


@dataclass(frozen=True)
class Rollout:
    """N environments, T control steps, S physics steps, F feet; metres, world frame, z up, quaternions wxyz.

    Row t of the control arrays is the state at (t + 1) control_dt_s, row s of the physics arrays at (s + 1)
    physics_dt_s.
    """

    robot: RobotConfig
    seed: int
    control_dt_s: float
    physics_dt_s: float
    foot_contact: Bools
    foot_pos_w: Floats
    base_pos_w: Floats
    base_quat_w: Floats
    root_pos_w: Floats
    mid_pos_w: Floats
    body_contact: Bools
    reported_fall_s: Floats

    @property
    def num_envs(self) -> int:
        return self.base_pos_w.shape[1]

    @property
    def seconds(self) -> float:
        return len(self.base_pos_w) * self.control_dt_s

    @property
    def decimation(self) -> int:
        return len(self.foot_contact) // len(self.base_pos_w)

    @cached_property
    def fell_at_s(self) -> Floats:
        """Return when each environment fell (N,), inf where it never did."""
        x, y = self.base_quat_w[..., 1], self.base_quat_w[..., 2]
        over = 1.0 - 2.0 * (x**2 + y**2) < MAX_TILT_COS
        first = (over.argmax(axis=0) + 1) * self.control_dt_s
        return np.minimum(np.where(over.any(axis=0), first, np.inf), self.reported_fall_s)

    @cached_property
    def counted(self) -> Bools:
        """Say which control steps count (T, N): after start-up, before a fall."""
        time_s = (np.arange(len(self.base_pos_w)) + 1) * self.control_dt_s
        return (time_s[:, None] > START_UP_S + 1e-9) & (time_s[:, None] < self.fell_at_s - 1e-9)

    @cached_property
    def heading_w(self) -> Floats:
        """Return the direction the trunk faces, in the plane (T, N, 2)."""
        w, x, y, z = np.moveaxis(self.base_quat_w.astype(np.float64), -1, 0)
        forward = np.stack([1.0 - 2.0 * (y**2 + z**2), 2.0 * (x * y + w * z)], axis=-1)
        return forward / np.maximum(np.linalg.norm(forward, axis=-1, keepdims=True), 1e-9)


def read_rollout(path: Path) -> Rollout:
    """Read and check a rollout's file. Raises BadRollout with the first thing that cannot be believed."""
    arrays, meta = _read_arrays(path)
    try:
        robot = robot_config(str(meta["robot"]))
        control_dt_s, physics_dt_s = float(meta["control_dt_s"]), float(meta["physics_dt_s"])
        seed, feet = int(meta["seed"]), tuple(meta["feet"])
    except (BadInput, KeyError, TypeError, ValueError, OverflowError) as error:
        raise _doubt(path, f"its meta_json lacks or garbles something: {error}") from None
    if not 0.001 <= control_dt_s <= 0.1 or not 0 < physics_dt_s <= MAX_PHYSICS_STEP_S + 1e-9:
        raise _doubt(path, f"its steps are {control_dt_s} s and {physics_dt_s} s; the judge wants physics at 5 ms")
    if feet != robot.feet:
        raise _doubt(path, f"its feet {feet} are not those of {robot.title}")
    num_steps, num_envs = arrays["base_pos_w"].shape[:2] if arrays["base_pos_w"].ndim == 3 else (0, 0)
    decimation = round(control_dt_s / physics_dt_s)
    if num_envs < 1 or num_steps * control_dt_s < START_UP_S + 0.5:
        raise _doubt(path, f"{num_envs} environments over {num_steps} steps are too little to judge")
    feet_shape = (num_envs, robot.num_feet)
    shapes = {
        "foot_contact": (num_steps * decimation, *feet_shape),
        "foot_pos_w": (num_steps * decimation, *feet_shape, 3),
        "base_pos_w": (num_steps, num_envs, 3),
        "base_quat_w": (num_steps, num_envs, 4),
        "root_pos_w": (num_steps, *feet_shape, 3),
        "mid_pos_w": (num_steps, *feet_shape, 3),
        "body_contact": (num_steps, num_envs),
        "fell_at_s": (num_envs,),
    }
    for name, shape in shapes.items():
        if arrays[name].shape != shape:
            raise _doubt(path, f"{name} has shape {arrays[name].shape} and should have {shape}")
    for name in ("foot_contact", "body_contact"):
        if arrays[name].dtype != bool:
            raise _doubt(path, f"{name} is {arrays[name].dtype} and should be bool")
    for name in ("foot_pos_w", "base_pos_w", "base_quat_w", "root_pos_w", "mid_pos_w"):
        if not np.isfinite(arrays[name]).all() or np.abs(arrays[name]).max(initial=0.0) > _FAR_M:
            raise _doubt(path, f"{name} holds values that are not finite or beyond {_FAR_M:.0f} m")
    rollout = Rollout(
        robot=robot,
        seed=seed,
        control_dt_s=control_dt_s,
        physics_dt_s=physics_dt_s,
        reported_fall_s=np.where(np.isnan(arrays["fell_at_s"]), 0.0, arrays["fell_at_s"]).astype(np.float64),
        **{name: arrays[name] for name in shapes if name != "fell_at_s"},
    )
    standing = rollout.counted
    norms = np.linalg.norm(rollout.base_quat_w, axis=-1)[standing]
    if norms.size and np.abs(norms - 1.0).max() > 0.01:
        raise _doubt(path, "its quaternions are not of unit length")
    return rollout


_ARRAYS = (
    "foot_contact",
    "foot_pos_w",
    "base_pos_w",
    "base_quat_w",
    "root_pos_w",
    "mid_pos_w",
    "body_contact",
    "fell_at_s",
)


def read_meta(path: Path) -> dict:
    """Return a rollout's `meta_json`, or {} where there is none to be read."""
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as file:
            meta = json.loads(str(file["meta_json"]))
    except (KeyError, *_UNREADABLE):
        return {}
    return meta if isinstance(meta, dict) else {}


def _read_arrays(path: Path) -> tuple[dict[str, NDArray], dict]:
    try:
        raw = io.BytesIO(path.read_bytes())
        with zipfile.ZipFile(raw) as archive:
            if sum(item.file_size for item in archive.infolist()) > _MAX_BYTES:
                raise _doubt(path, "it would unpack to more than 4 GB")
        with np.load(raw, allow_pickle=False) as file:
            missing = [name for name in (*_ARRAYS, "meta_json") if name not in file]
            if missing:
                raise _doubt(path, f"it lacks {', '.join(missing)}")
            arrays, meta = {name: file[name] for name in _ARRAYS}, json.loads(str(file["meta_json"]))
    except FileNotFoundError:
        raise BadRollout(f"{path.name} was not written.", "See the rollout's own words above.") from None
    except _UNREADABLE as error:
        raise _doubt(path, f"it cannot be read ({type(error).__name__}: {error})") from None
    if not isinstance(meta, dict):
        raise _doubt(path, "its meta_json is no object")
    # numpy gives the bare bytes of a member that does not begin like an array.
    if odd := [name for name, array in arrays.items() if not isinstance(array, np.ndarray)]:
        raise _doubt(path, f"{', '.join(odd)} are no arrays")
    return arrays, meta


def _doubt(path: Path, why: str) -> BadRollout:
    return BadRollout(f"{path.name} cannot be believed: {why}.", "Roll the policy out again.")
