"""The rendered robot: what its clips show is what their truth says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from video2reward.evals.gait_targets import synthetic_cases
from video2reward.evals.robot_clips import ROBOT_CLIPS, recording, truth_of, write_robots
from video2reward.sim.config import robot_config
from video2reward.sim.render import choose_gl
from video2reward.tools.cycle import apart
from video2reward.tools.describe import describe_clip
from video2reward.tools.gait_labels import gait_label

TARGETS = {case.name: case.target for case in synthetic_cases()}


@pytest.mark.parametrize("name", [clip.case for clip in ROBOT_CLIPS])
def test_the_truth_bears_the_gaits_name(name: str) -> None:
    truth = truth_of(TARGETS[name])
    assert truth.phase_offsets["FL"] == 0
    assert gait_label("quadruped", truth.phase_offsets, truth.duty_factor)[0] == TARGETS[name].gait


@pytest.mark.parametrize("name", ["go1-walk", "go1-trot"])
def test_feet_stand_still_when_the_truth_says_that_they_are_down(name: str) -> None:
    mujoco = pytest.importorskip("mujoco")
    from video2reward.sim.robots.model import load_model

    target = TARGETS[name]
    rolled = recording(target, 3.0)
    model = load_model(robot_config("go1"))
    data = mujoco.MjData(model)
    feet = np.empty((len(rolled.joint_pos), 4, 3))
    for step, (base, joints) in enumerate(zip(rolled.base_pos_w, rolled.joint_pos, strict=True)):
        data.qpos[:] = [*base, 1, 0, 0, 0, *joints]
        mujoco.mj_kinematics(model, data)
        feet[step] = [data.site(f"{foot}_sole").xpos for foot in target.feet]
    clock = np.arange(len(feet)) * rolled.control_dt_s * target.stride_frequency_hz
    phase = (clock[:, None] - np.array(target.phase_offsets)) % 1.0
    duty = np.array(target.duty_factor)
    standing = (phase > 0.1) & (phase < duty - 0.1)
    speed = np.gradient(feet[..., 0], rolled.control_dt_s, axis=0)
    height = feet[..., 2] - np.median(feet[..., 2][standing])
    assert np.abs(speed[standing]).mean() < 0.1 * target.speed_m_s
    assert np.abs(height[standing]).max() < 0.01
    assert height[np.abs(phase - (1 + duty) / 2) < 0.1].min() > 0.02


@pytest.mark.slow
def test_a_rendered_go1_is_named_from_its_pixels(tmp_path: Path) -> None:
    if choose_gl() is None:
        pytest.skip("NO GL RENDERS HERE: NO ROBOT IS SEEN IN PIXELS")
    for clip, target, truth in write_robots(tmp_path):
        _, description = describe_clip(clip, tmp_path / clip.stem)
        gait = description.gait
        assert gait is not None and gait.gait == target.gait, clip.stem
        assert gait.stride_frequency_hz == pytest.approx(truth.stride_frequency_hz, rel=0.01)
        off = [apart(gait.phase_offsets[limb], phase) for limb, phase in truth.phase_offsets.items()]
        assert np.mean(off[1:]) < 0.06, clip.stem
