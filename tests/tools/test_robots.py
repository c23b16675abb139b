"""Any robot by the path of its MJCF: adopted once, found again, and said in a sentence where it cannot be."""

from __future__ import annotations

import json

import pytest
from video2reward.agent import cli
from video2reward.memory.errors import BadInput, MissingPart
from video2reward.sim.config import robot_config
from video2reward.tools.robots import inspection_of, known_robots, resolve_robot

LEG = """
<body pos="{x} {y} 0"><joint name="h{n}" axis="0 1 0" range="-1 2"/>
  <geom type="capsule" fromto="0 0 0 0 0 -.2" size=".02"/>
  <body pos="0 0 -.2"><joint name="k{n}" axis="0 1 0" range="-2.5 -.3"/>
    <geom type="capsule" fromto="0 0 0 0 0 -.2" size=".02"/></body></body>"""
TABLE = (
    '<mujoco><compiler autolimits="true"/><worldbody><body name="top" pos="0 0 .5"><freejoint/>'
    '<geom type="box" size=".25 .1 .05"/>'
    + "".join(
        LEG.format(x=x, y=y, n=n) for n, (x, y) in enumerate(((0.2, 0.1), (0.2, -0.1), (-0.2, 0.1), (-0.2, -0.1)))
    )
    + "</body></worldbody></mujoco>"
)


@pytest.fixture
def mjcf(tmp_path):
    path = tmp_path / "table.xml"
    path.write_text(TABLE)
    return path


def test_an_mjcf_is_adopted_once_and_found_again(mjcf, tmp_path):
    first = resolve_robot(str(mjcf), tmp_path / "home")
    written = [path.stat().st_mtime_ns for path in (tmp_path / "home").rglob("robot.json")]
    assert resolve_robot(str(mjcf), tmp_path / "home") == first
    assert [path.stat().st_mtime_ns for path in (tmp_path / "home").rglob("robot.json")] == written
    assert resolve_robot(first, tmp_path / "home") == first
    assert robot_config(first).num_joints == 8
    assert [robot.title for robot in known_robots(tmp_path / "home")][:2] == ["go1", "g1"]


def test_a_card_that_was_mended_by_hand_is_what_counts(mjcf, tmp_path):
    card = resolve_robot(str(mjcf), tmp_path / "home")
    from pathlib import Path

    mended = json.loads(Path(card).read_text()) | {"control_hz": 40.0}
    Path(card).write_text(json.dumps(mended))
    from video2reward.sim.config import read_card

    read_card.cache_clear()
    assert robot_config(resolve_robot(str(mjcf), tmp_path / "home")).control_hz == 40.0


def test_another_file_of_the_same_name_is_another_robot(mjcf, tmp_path):
    first = resolve_robot(str(mjcf), tmp_path / "home")
    mjcf.write_text(TABLE.replace("-2.5 -.3", "-2.4 -.3"))
    assert resolve_robot(str(mjcf), tmp_path / "home") != first


@pytest.mark.parametrize(
    ("name", "said"),
    [("spot", "no robot 'spot'"), ("nowhere.xml", "no robot model"), ("nowhere/robot.json", "no robot card")],
    ids=["a name", "a model", "a card"],
)
def test_what_is_not_there_is_said_in_one_sentence(tmp_path, name, said):
    with pytest.raises(BadInput, match=said):
        resolve_robot(name, tmp_path)


def test_the_menagerie_needs_its_package(tmp_path, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "mujoco_menagerie", None)
    with pytest.raises(MissingPart, match="mujoco-menagerie is not installed"):
        resolve_robot("menagerie:unitree_go2", tmp_path)


def test_the_command_shows_what_was_found(mjcf, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("V2R_HOME", str(tmp_path / "home"))
    assert cli.main(["robot", "inspect", str(mjcf)]) == 0
    shown = capsys.readouterr().out
    assert "four legs" in shown and "h3" in shown and "its stance was fitted" in shown
    assert cli.main(["robot", "inspect", str(mjcf), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["kind"] == "quadruped"
    assert cli.main(["robot", "list"]) == 0
    assert "table-" in capsys.readouterr().out


def test_the_command_refuses_in_one_line_with_exit_code_2(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("V2R_HOME", str(tmp_path / "home"))
    (tmp_path / "ball.xml").write_text(
        "<mujoco><worldbody><body><freejoint/><geom size='1'/></body></worldbody></mujoco>"
    )
    assert cli.main(["robot", "inspect", str(tmp_path / "ball.xml")]) == 2
    assert cli.main(["robot", "inspect"]) == 2
    assert cli.main(["robot", "dance"]) == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 3


@pytest.mark.slow
def test_robots_that_others_ship_are_found(tmp_path):
    from video2reward.evals.robots import FOREIGN, models
    from video2reward.tools.robots import inspect_robot

    chosen = tuple(robot for robot in FOREIGN if robot.name in ("ant", "mjlab-go1", "mjlab-g1"))
    found = {
        foreign.name: inspection_of(inspect_robot(path, tmp_path / "home"))
        for foreign, path in models(chosen, tmp_path)
    }
    assert [found[name].kind for name in ("ant", "mjlab-go1", "mjlab-g1")] == ["quadruped", "quadruped", "biped"]
    # Unitree's published numbers, as our own models have them.
    assert found["mjlab-go1"].mass_kg == pytest.approx(12.743, abs=0.01)
    assert found["mjlab-go1"].leg_length_m == pytest.approx(0.256, rel=0.05)
    assert found["mjlab-g1"].mass_kg == pytest.approx(33.341, abs=0.01)
    assert found["mjlab-g1"].leg_length_m == pytest.approx(0.645, rel=0.05)
    assert len(found["ant"].servos) == 8 and len(found["mjlab-g1"].servos) == 12


def test_a_robot_that_was_adopted_is_found_by_its_name_and_queued_under_it(mjcf, tmp_path):
    from video2reward.agent.queue import items_of

    home, clip = tmp_path / "home", tmp_path / "dog.mp4"
    clip.touch()
    card = resolve_robot(str(mjcf), home)
    assert resolve_robot("table", home) == resolve_robot(robot_config(card).title, home) == card
    (item,) = items_of([clip], [card])
    assert item.robot == card and item.name == f"01-dog-{robot_config(card).title}"


def test_a_reward_for_an_adopted_robot_is_tried_in_the_box(mjcf, tmp_path):
    from video2reward.agent.authors import AuthorBrief
    from video2reward.agent.offline import OfflineAuthor
    from video2reward.evals.robots import easy_motion
    from video2reward.tools.write_reward import write_reward

    target = easy_motion(robot_config(resolve_robot(str(mjcf), tmp_path / "home")))
    draft = OfflineAuthor().propose(AuthorBrief(target=target, lap=1), 1, 0)[0]
    program = write_reward(draft, target, tmp_path / "attempt", attempt="L1-C1")
    assert (program.status, program.reason) == ("ok", "")
