"""The conformance suite: what every physics backend must do, whatever engine is under it."""

import pytest
import torch
from video2reward.sim.backends.mujoco_cpu import MujocoBackend
from video2reward.sim.config import ROBOTS
from video2reward.sim.robots.model import load_model

NUM_ENVS = 4


def mujoco_backend(robot, num_threads=1):
    return MujocoBackend(load_model(robot, timestep_s=0.01), NUM_ENVS, num_threads)


BACKENDS = {"mujoco": mujoco_backend}


@pytest.fixture(params=sorted(BACKENDS))
def make(request):
    return BACKENDS[request.param]


@pytest.fixture(params=sorted(ROBOTS))
def robot(request):
    return ROBOTS[request.param]


def home_ctrl(robot):
    return torch.tensor(robot.default_joint_pos).repeat(NUM_ENVS, 1)


def test_the_state_is_float32_and_in_the_documented_shapes(make, robot):
    state = make(robot).state()
    assert state.qpos.shape == (NUM_ENVS, 7 + robot.num_joints)
    assert state.qvel.shape == (NUM_ENVS, 6 + robot.num_joints)
    assert state.actuator_force.shape == (NUM_ENVS, robot.num_joints)
    assert {t.dtype for t in (state.qpos, state.qvel, state.sensordata, state.actuator_force)} == {torch.float32}


def test_it_stands_under_its_default_targets(make, robot):
    backend = make(robot)
    backend.step(home_ctrl(robot), 50)
    height = backend.state().qpos[:, 2]
    assert torch.allclose(height, torch.full((NUM_ENVS,), robot.standing_height_m), atol=0.03)


def test_environments_do_not_touch_each_other(make, robot):
    alone, together = make(robot), make(robot)
    ctrl = home_ctrl(robot)
    pushed = ctrl.clone()
    pushed[1] += 0.3
    alone.step(ctrl, 5)
    together.step(pushed, 5)
    assert torch.equal(alone.state().qpos[0], together.state().qpos[0])
    assert not torch.equal(alone.state().qpos[1], together.state().qpos[1])


def test_reset_sets_exactly_the_named_environments(make, robot):
    backend = make(robot)
    backend.step(home_ctrl(robot), 5)
    before = backend.state().qpos.clone()
    qpos = before[:1].clone()
    qpos[:, 0] = 7.0
    backend.reset(torch.tensor([2]), qpos, torch.zeros(1, 6 + robot.num_joints))
    after = backend.state().qpos
    assert float(after[2, 0]) == 7.0
    assert torch.equal(after[[0, 1, 3]], before[[0, 1, 3]])


def test_the_same_commands_give_the_same_bits(make, robot):
    def final():
        backend = make(robot)
        generator = torch.Generator().manual_seed(3)
        for _ in range(10):
            backend.step(home_ctrl(robot) + 0.1 * torch.randn(NUM_ENVS, robot.num_joints, generator=generator), 2)
        return backend.state().qpos.clone()

    assert torch.equal(final(), final())


def test_a_simulation_that_blows_up_is_shown_and_not_silently_reset(make, robot):
    backend = make(robot)
    qvel = torch.zeros(1, 6 + robot.num_joints)
    qvel[:, 0] = float("inf")
    backend.reset(torch.tensor([1]), backend.state().qpos[1:2].clone(), qvel)
    backend.step(home_ctrl(robot), 2)
    state = backend.state()
    assert not torch.isfinite(state.qpos[1]).all()
    assert torch.isfinite(state.qpos[[0, 2, 3]]).all()
    # Once it is put back it runs on.
    backend.reset(torch.tensor([1]), state.qpos[:1].clone(), torch.zeros(1, 6 + robot.num_joints))
    backend.step(home_ctrl(robot), 2)
    assert torch.isfinite(backend.state().qpos).all()


def test_the_number_of_threads_changes_no_bit(robot):
    one, two = mujoco_backend(robot, 1), mujoco_backend(robot, 2)
    for backend in (one, two):
        backend.step(home_ctrl(robot) + 0.2, 20)
    assert torch.equal(one.state().qpos, two.state().qpos)
