"""Draws a robot as it stands: `python -m video2reward.sim.robots.portrait CARD-OR-NAME OUT.png`."""

from __future__ import annotations

import sys
from pathlib import Path

from video2reward.memory.errors import MissingPart, V2RError
from video2reward.sim.config import RobotConfig, robot_config
from video2reward.sim.render import use_gl

_AZIMUTH_DEG, _ELEVATION_DEG = 125.0, -18.0


def draw(robot: RobotConfig, out: Path, *, width: int = 640, height: int = 480) -> None:
    """Write a PNG of the robot in its stance, obliquely from the front. Raises MissingPart without a GL library."""
    if use_gl() is None:
        raise MissingPart("there is no GL library to draw with.", "`video2reward doctor` says which to install.")
    import cv2
    import mujoco
    from video2reward.sim.robots.model import load_model

    model = load_model(robot, visual=True)
    data = mujoco.MjData(model)
    mujoco.mj_resetDataKeyframe(model, data, model.key("home").id)
    mujoco.mj_forward(model, data)
    camera = mujoco.MjvCamera()
    camera.distance = (4.2 if robot.kind == "quadruped" else 3.1) * max(robot.standing_height_m, robot.leg_length_m)
    camera.azimuth, camera.elevation = _AZIMUTH_DEG, _ELEVATION_DEG
    camera.lookat[:] = 0.0, 0.0, 0.7 * robot.standing_height_m
    renderer = mujoco.Renderer(model, height, width)
    try:
        renderer.update_scene(data, camera)
        picture = renderer.render()
    finally:
        renderer.close()
    out.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(out), picture[..., ::-1])


def main(argv: list[str] | None = None) -> int:
    """Draw the robot named first into the file named second."""
    name, out = sys.argv[1:] if argv is None else argv
    try:
        draw(robot_config(name), Path(out))
    except V2RError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
