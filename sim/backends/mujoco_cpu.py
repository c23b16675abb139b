"""MuJoCo on the CPU: `mujoco.batch`, a thread pool in C++ over one model."""

from __future__ import annotations

import mujoco
import numpy as np
import torch
from mujoco import batch
from torch import Tensor
from video2reward.sim.backends.base import PhysicsState

_UNSTABLE = [int(getattr(mujoco.mjtWarning, f"mjWARN_BAD{what}")) for what in ("QPOS", "QVEL", "QACC")]


class MujocoBackend:
    """Step many simulations of one model; bit-identical at any number of threads."""

    device = "cpu"

    def __init__(self, model: mujoco.MjModel, num_envs: int, num_threads: int) -> None:
        self.num_envs = num_envs
        self._floor, self._trunk = model.geom("floor").id, int(model.jnt_bodyid[0])
        self._batch = batch.Batch(model, num_envs, num_threads)
        self._batch.reset(keyframe=0)
        self._qpos, self._qvel, self._ctrl = self._batch.qpos, self._batch.qvel, self._batch.ctrl
        self._warmstart, self._warning = self._batch.bind("qacc_warmstart"), self._batch.warning
        live = (self._qpos, self._qvel, self._batch.bind("sensordata"), self._batch.bind("actuator_force"))
        tensors = [torch.zeros(array.shape, dtype=torch.float32) for array in live]
        # The batch's arrays are float64 and live: they are copied, so that nobody's tensor changes under him.
        self._copies = [(tensor.numpy(), array) for tensor, array in zip(tensors, live, strict=True)]
        self._state = PhysicsState(*tensors)
        self._unstable_count = np.zeros(num_envs, dtype=np.int64)
        self._sensors = live[2]
        self._watched: np.ndarray | None = None
        self._seen = np.zeros((0, num_envs, 0))

    def watch(self, sensor_columns: Tensor) -> None:
        self._watched = sensor_columns.numpy()
        self._seen = np.zeros((0, self.num_envs, len(self._watched)), dtype=np.float32)

    def seen(self) -> Tensor:
        return torch.from_numpy(self._seen)

    def step(self, ctrl: Tensor, num_substeps: int) -> None:
        self._ctrl[:] = ctrl.numpy()
        try:
            if self._watched is None:
                self._batch.step(nstep=num_substeps)
            else:
                self._seen = np.empty((num_substeps, self.num_envs, len(self._watched)), dtype=np.float32)
                for substep in range(num_substeps):
                    self._batch.step(nstep=1)
                    self._seen[substep] = self._sensors[:, self._watched]
        except batch.SimulationError as error:
            self._qpos[error.ids] = np.nan
        # MuJoCo answers an unstable state with a silent reset to the home pose; the warning counter tells.
        unstable_count = self._warning[:, _UNSTABLE, 1].sum(axis=1)
        if (unstable := unstable_count > self._unstable_count).any():
            self._qpos[unstable] = np.nan
            self._unstable_count = unstable_count

    def reset(self, env_ids: Tensor, qpos: Tensor, qvel: Tensor) -> None:
        ids = env_ids.numpy()
        self._qpos[ids], self._qvel[ids], self._warmstart[ids] = qpos.numpy(), qvel.numpy(), 0.0

    def push(self, env_ids: Tensor, velocity_w: Tensor) -> None:
        self._qvel[env_ids.numpy(), :2] += velocity_w.numpy()

    def vary_friction(self, factors: Tensor) -> None:
        self._batch.expand("geom_friction")[:, self._floor] *= factors.numpy()[:, None]

    def vary_trunk_mass(self, factors: Tensor) -> None:
        self._batch.expand("body_mass")[:, self._trunk] *= factors.numpy()
        self._batch.expand("body_inertia")[:, self._trunk] *= factors.numpy()[:, None]
        self._batch.set_const()

    def state(self) -> PhysicsState:
        for copy, array in self._copies:
            np.copyto(copy, array, casting="same_kind")
        return self._state
