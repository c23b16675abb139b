"""MJCFs as other people write them: other names, motors, floors, arms, no keys, capsules for feet."""


def four_legs(*, motors: bool = True, legs: tuple[tuple[float, float], ...] | None = None, extra: str = "") -> str:
    """Return a dog-sized robot whose names say nothing; hips at `legs` (x, y), m."""
    hips = legs or ((0.2, 0.1), (0.2, -0.1), (-0.2, 0.1), (-0.2, -0.1))
    bodies = "".join(
        f"""
        <body name="a{i}" pos="{x} {y} 0">
          <joint name="a{i}" axis="1 0 0" range="-50 50" limited="true"/>
          <geom type="sphere" size="0.04" mass="0.5"/>
          <body name="b{i}" pos="0 {0.03 if y > 0 else -0.03} 0">
            <joint name="b{i}" axis="0 1 0" range="-60 120" limited="true"/>
            <geom type="capsule" fromto="0 0 0 0 0 -0.2" size="0.02" mass="0.8"/>
            <body name="c{i}" pos="0 0 -0.2">
              <joint name="c{i}" axis="0 1 0" range="-150 -20" limited="true"/>
              <geom type="capsule" fromto="0 0 0 0 0 -0.2" size="0.02" mass="0.2"/>
            </body>
          </body>
        </body>"""
        for i, (x, y) in enumerate(hips)
    )
    drives = "".join(f'<motor joint="{p}{i}" gear="20" ctrlrange="-1 1" ctrllimited="true"/>' for i in range(len(hips))
                     for p in "abc")  # fmt: skip
    return f"""
    <mujoco>
      <compiler angle="degree"/>
      <worldbody>
        <light pos="0 0 3"/>
        <geom name="ground" type="plane" size="5 5 .1"/>
        <body name="thing" pos="0 0 0.5">
          <freejoint/>
          <camera name="eye" pos="0 -1 0"/>
          <geom type="box" size="0.25 0.08 0.05" mass="6"/>
          {bodies}{extra}
        </body>
      </worldbody>
      <actuator>{drives if motors else ""}</actuator>
    </mujoco>"""


def two_legs() -> str:
    """Return a small humanoid: waist, arms, box feet, three hinges at the hip, servos on the knees alone."""

    def leg(side: str, y: float) -> str:
        return f"""
        <body name="{side}thigh" pos="0 {y} -0.1">
          <joint name="{side}1" axis="1 0 0" range="-0.5 0.5"/>
          <joint name="{side}2" axis="0 0 1" range="-0.6 0.6"/>
          <joint name="{side}3" axis="0 1 0" range="-1.6 0.9"/>
          <geom type="capsule" fromto="0 0 0 0 0 -0.35" size="0.05" mass="4"/>
          <body name="{side}shin" pos="0 0 -0.37">
            <joint name="{side}4" axis="0 1 0" range="-0.05 2.2"/>
            <geom type="capsule" fromto="0 0 0 0 0 -0.32" size="0.04" mass="2.5"/>
            <body name="{side}foot" pos="0 0 -0.36">
              <joint name="{side}5" axis="0 1 0" range="-0.8 0.8"/>
              <joint name="{side}6" axis="1 0 0" range="-0.3 0.3"/>
              <geom type="box" pos="0.04 0 -0.03" size="0.11 0.045 0.02" mass="0.8"/>
            </body>
          </body>
        </body>"""

    arms = "".join(
        f"""
          <body name="arm{y}" pos="0 {y} 0.3">
            <joint name="arm{y}a" axis="0 1 0" range="-2 2"/>
            <geom type="capsule" fromto="0 0 0 0 0 -0.25" size="0.03" mass="1"/>
            <body pos="0 0 -0.25"><joint name="arm{y}b" axis="0 1 0" range="-2 0"/>
              <geom type="capsule" fromto="0 0 0 0 0 -0.2" size="0.025" mass="0.6"/></body>
          </body>"""
        for y in (0.2, -0.2)
    )
    return f"""
    <mujoco>
      <compiler angle="radian" autolimits="true"/>
      <worldbody>
        <body name="pelvis" pos="0 0 0.95">
          <freejoint/>
          <geom type="sphere" size="0.1" mass="6"/>
          <body name="chest" pos="0 0 0.1">
            <joint name="waist" axis="0 0 1" range="-1 1"/>
            <geom type="box" pos="0 0 0.15" size="0.08 0.15 0.15" mass="9"/>{arms}
          </body>{leg("l", 0.1)}{leg("r", -0.1)}
        </body>
      </worldbody>
      <actuator>
        <position joint="l4" kp="180" forcerange="-90 90"/><position joint="r4" kp="180" forcerange="-90 90"/>
      </actuator>
    </mujoco>"""


def sprawled_legs(*, armature: float = 0.01) -> str:
    """Return a robot whose four legs stand out at 45 degrees, each with a vertical hinge and one that folds it."""
    legs = "".join(
        f"""
        <body name="hip{i}" pos="{0.1 * x} {0.1 * y} 0">
          <joint name="swing{i}" axis="0 0 1" range="-40 40"/>
          <geom type="capsule" fromto="0 0 0 {0.1 * x} {0.1 * y} 0" size="0.02" mass="0.3"/>
          <body name="leg{i}" pos="{0.1 * x} {0.1 * y} 0">
            <joint name="fold{i}" axis="{-y} {x} 0" range="20 75"/>
            <geom type="capsule" fromto="0 0 0 {0.2 * x} {0.2 * y} 0" size="0.02" mass="0.3"/>
          </body>
        </body>"""
        for i, (x, y) in enumerate(((1, 1), (1, -1), (-1, 1), (-1, -1)))
    )
    drives = "".join(f'<motor joint="{part}{i}" gear="30" ctrlrange="-1 1"/>' for i in range(4)
                     for part in ("swing", "fold"))  # fmt: skip
    return f"""
    <mujoco>
      <compiler angle="degree" autolimits="true"/>
      <default><joint armature="{armature}" damping="0.1"/></default>
      <worldbody>
        <body name="bug" pos="0 0 0.5">
          <freejoint/>
          <geom type="sphere" size="0.1" mass="3"/>{legs}
        </body>
      </worldbody>
      <actuator>{drives}</actuator>
    </mujoco>"""
