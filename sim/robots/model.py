"""Builds a robot's MuJoCo model: its MJCF, plus the floor, the sensors, the solver and the home pose.

The same file serves three models: training (only the feet meet the floor; nothing that is only seen), the judge's
(`full_collision`: every limb meets the floor and says so) and the picture's (`visual`: colours, light, sky).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from video2reward.memory.errors import BadInput, MissingPart
from video2reward.sim.config import RobotConfig

if TYPE_CHECKING:
    import mujoco

FLOOR_FRICTION = (0.8, 0.005, 0.0001)
"""Sliding, torsional, rolling: the floor's own hold for every contact, so that one number randomises them all."""
# A hard floor: MuJoCo's default of 0.02 s lets a landing foot sink in by 3 cm, this one by 1. Training's coarse step
# gets twice its own length, 0.02 s, from MuJoCo all the same; the judge's step of 5 ms gets this.
FLOOR_SOLREF = (0.01, 1.0)
# Feet are rubber: they give at the first touch and are hard when pressed together. mujoco_menagerie's Go1 says so with
# solimp 0.015 1 0.031; over 31 mm a trotting foot sinks in to its shank, over these 10 a standing one by 5. Over fewer,
# training's coarse step bounces. MuJoCo's own default, 0.9 from the first touch on, is steel on stone: a foot that
# leaves lets go and touches again for 5 ms, the more often the finer the physics step.
FLOOR_SOLIMP = (0.015, 1.0, 0.01, 0.5, 2.0)

BODY_TOUCH_PREFIX = "body_touch_"
"""Sensors of `full_collision`: one per body that is not a foot (for a foot's own link, its shank)."""

LIMB_RGB = {
    "FL": (0.00, 0.45, 0.70),
    "FR": (0.90, 0.62, 0.00),
    "RL": (0.00, 0.62, 0.45),
    "RR": (0.84, 0.37, 0.00),
    "L": (0.00, 0.45, 0.70),
    "R": (0.90, 0.62, 0.00),
}
"""One colour per limb, told apart by colour-blind eyes (Okabe & Ito 2008), for feet, skeletons and footfall strips."""


def load_model(
    config: RobotConfig, *, timestep_s: float = 0.005, visual: bool = False, full_collision: bool = False
) -> mujoco.MjModel:
    """Compile the robot on a flat floor.

    Sensors per foot: `<foot>_pos` (3, world, m) and `<foot>_vel` (3, world, m/s) of the sole (the centre of a round
    foot), `<foot>_touch` (1, N), `<foot>_mid` (3, world, m: the knee); for bipeds `<foot>_up` (3, the sole's z axis in
    the world). With `full_collision` also `<foot>_root` (3, world, m: the hip's pitch axis) and one
    `body_touch_<body>` (1, > 0 while it touches the floor) per body.
    The key `home` stands on the floor in the default pose, its controls set to hold it.
    """
    return _compile(_build(config, timestep_s, visual=visual, full_collision=full_collision), config)


def model_xml(config: RobotConfig, *, timestep_s: float = 0.005) -> str:
    """Return the robot on its floor as an MJCF that needs no other file, with colours, sensors and the home key."""
    spec = _build(config, timestep_s, visual=True, full_collision=True)
    spec.key("home").qpos = _compile(spec, config).key("home").qpos.copy()
    spec.compile()
    return spec.to_xml()


def _build(config: RobotConfig, timestep_s: float, *, visual: bool, full_collision: bool) -> mujoco.MjSpec:
    import mujoco

    if not config.mjcf_path.exists():
        raise MissingPart(f"the robot model {config.mjcf_path.name} is missing.", "Reinstall video2reward.")
    spec = mujoco.MjSpec.from_file(str(config.mjcf_path))
    _choose_geoms(spec, visual=visual, full_collision=full_collision)
    _add_floor(spec)
    if visual:
        _add_scene(spec, config)
    _add_foot_sensors(spec, config, limb_points=full_collision)
    if full_collision:
        _add_body_touch_sensors(spec)
    _set_solver(spec, timestep_s)
    pose = list(config.default_joint_pos)
    spec.add_key(name="home", qpos=[0, 0, config.standing_height_m, 1, 0, 0, 0, *pose], ctrl=pose)
    return spec


def _compile(spec: mujoco.MjSpec, config: RobotConfig) -> mujoco.MjModel:
    import mujoco

    model = spec.compile()
    hinges = [model.joint(j).name for j in range(model.njnt) if model.jnt_type[j] == mujoco.mjtJoint.mjJNT_HINGE]
    # The state's joints are told apart by their place alone.
    if tuple(hinges) != config.joint_names:
        raise BadInput(
            f"the card of {config.title} has its joints in another order than its model.",
            "Inspect its MJCF again with `video2reward robot inspect MODEL.xml --anew`.",
        )
    _put_home_on_the_floor(model, config)
    return model


def _choose_geoms(spec: mujoco.MjSpec, *, visual: bool, full_collision: bool) -> None:
    """Keep what this model needs: unused shapes cost time in every step."""
    for geom in list(spec.geoms):
        kind = geom.classname.name
        if kind == "limb" and full_collision:
            # The floor meets the robot, the robot does not meet itself: floor contype 1, robot conaffinity 1.
            geom.conaffinity = 1
        elif not (kind == "foot" or visual):
            spec.delete(geom)


def _add_floor(spec: mujoco.MjSpec) -> None:
    import mujoco

    spec.worldbody.add_geom(
        name="floor",
        type=mujoco.mjtGeom.mjGEOM_PLANE,
        size=[0, 0, 0.05],
        contype=1,
        conaffinity=0,
        priority=1,
        condim=3,
        friction=list(FLOOR_FRICTION),
        solref=list(FLOOR_SOLREF),
        solimp=list(FLOOR_SOLIMP),
    )


def _add_foot_sensors(spec: mujoco.MjSpec, config: RobotConfig, *, limb_points: bool) -> None:
    import mujoco

    kinds = {
        "pos": (mujoco.mjtSensor.mjSENS_FRAMEPOS, "sole"),
        "vel": (mujoco.mjtSensor.mjSENS_FRAMELINVEL, "sole"),
        "touch": (mujoco.mjtSensor.mjSENS_TOUCH, "sole"),
        "mid": (mujoco.mjtSensor.mjSENS_FRAMEPOS, "mid"),
    }
    if config.kind == "biped":
        kinds["up"] = (mujoco.mjtSensor.mjSENS_FRAMEZAXIS, "sole")
    if limb_points:
        kinds["root"] = (mujoco.mjtSensor.mjSENS_FRAMEPOS, "root")
    for quantity, (kind, site) in kinds.items():
        for foot in config.feet:
            spec.add_sensor(
                name=f"{foot}_{quantity}", type=kind, objtype=mujoco.mjtObj.mjOBJ_SITE, objname=f"{foot}_{site}"
            )


def _add_body_touch_sensors(spec: mujoco.MjSpec) -> None:
    """Watch whole bodies, but single shapes on a link that carries a foot: its shank may not touch, its foot may."""
    import mujoco

    found, reduce_none, one_slot = 1 << int(mujoco.mjtConDataField.mjCONDATA_FOUND), 0, 1
    for body in spec.bodies:
        limbs = [geom for geom in body.geoms if geom.classname.name == "limb"]
        if not limbs:
            continue
        carries_foot = any(geom.classname.name == "foot" for geom in body.geoms)
        watched = (
            [(mujoco.mjtObj.mjOBJ_GEOM, geom.name) for geom in limbs]
            if carries_foot
            else [(mujoco.mjtObj.mjOBJ_BODY, body.name)]
        )
        for kind, name in watched:
            spec.add_sensor(
                name=f"{BODY_TOUCH_PREFIX}{name}",
                type=mujoco.mjtSensor.mjSENS_CONTACT,
                objtype=kind,
                objname=name,
                reftype=mujoco.mjtObj.mjOBJ_GEOM,
                refname="floor",
                intprm=[found, reduce_none, one_slot],
            )


def _set_solver(spec: mujoco.MjSpec, timestep_s: float) -> None:
    """Ten iterations are plenty here, and fewer do not run faster; implicitfast holds stiff gains at large steps."""
    import mujoco

    option = spec.option
    option.timestep = timestep_s
    option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    option.cone = mujoco.mjtCone.mjCONE_PYRAMIDAL
    option.iterations = 10
    option.ls_iterations = 20


def _add_scene(spec: mujoco.MjSpec, config: RobotConfig) -> None:
    """Dress the floor, light the robot and give each foot its colour."""
    import mujoco

    spec.add_texture(
        name="floor",
        type=mujoco.mjtTexture.mjTEXTURE_2D,
        builtin=mujoco.mjtBuiltin.mjBUILTIN_CHECKER,
        mark=mujoco.mjtMark.mjMARK_EDGE,
        rgb1=[0.44, 0.48, 0.53],
        rgb2=[0.39, 0.43, 0.48],
        markrgb=[0.52, 0.56, 0.61],
        width=256,
        height=256,
    )
    material = spec.add_material(name="floor", texrepeat=[2, 2], texuniform=True, specular=0.1, shininess=0.1)
    material.textures[mujoco.mjtTextureRole.mjTEXROLE_RGB] = "floor"
    spec.geom("floor").material = "floor"
    spec.add_texture(
        name="sky",
        type=mujoco.mjtTexture.mjTEXTURE_SKYBOX,
        builtin=mujoco.mjtBuiltin.mjBUILTIN_GRADIENT,
        rgb1=[0.66, 0.76, 0.88],
        rgb2=[0.86, 0.90, 0.95],
        width=64,
        height=384,
    )
    spec.worldbody.add_light(
        pos=[0, 0, 3],
        dir=[0.3, 0, -1],
        type=mujoco.mjtLightType.mjLIGHT_DIRECTIONAL,
        diffuse=[0.62, 0.61, 0.58],
        castshadow=False,
    )
    headlight = spec.visual.headlight
    headlight.ambient, headlight.diffuse, headlight.specular = [0.36] * 3, [0.42] * 3, [0.1] * 3
    for foot in config.feet:
        for geom in spec.site(f"{foot}_sole").parent.geoms:
            if geom.name.endswith(("_foot", "_shoe")):
                geom.material, geom.rgba = "", [*LIMB_RGB[foot], 1]


def _put_home_on_the_floor(model: mujoco.MjModel, config: RobotConfig) -> None:
    """Set the height of `home` from the pose, so that the lowest foot just touches."""
    import mujoco

    data = mujoco.MjData(model)
    mujoco.mj_resetDataKeyframe(model, data, model.key("home").id)
    mujoco.mj_kinematics(model, data)
    lowest = min(data.site(f"{foot}_sole").xpos[2] for foot in config.feet) - config.foot_radius_m
    model.key("home").qpos[2] -= lowest
