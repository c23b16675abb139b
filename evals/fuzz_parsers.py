"""The parsers that are fuzzed: what each reads, good inputs to begin from, and how it refuses."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel
from video2reward.evals.fuzz_records import examples, small_rollout
from video2reward.memory.errors import V2RError
from video2reward.memory.records import Clip, MotionTarget, RewardDraft, TrainingRun, TrainingSpec

Reader = Callable[[Path], object]

ELSEWHERE = {"clips": "video2reward.evals.fuzz_clips", "rewards, by word": "video2reward.evals.fuzz_rewards"}
"""What is fuzzed by a command of its own."""


@dataclass(frozen=True)
class Parser:
    """One parser: `seeds` makes good inputs, `reader` returns the function that is given each input's file."""

    name: str
    suffix: str
    seeds: Callable[[Path], Sequence[bytes]]
    reader: Callable[[], Reader]
    refusals: tuple[type[Exception], ...] = (V2RError,)


def _clip() -> Clip:
    return Clip(path=Path("a.mp4"), sha256="0" * 64, fps=30.0, duration_s=1.0, width_px=64, height_px=48, num_frames=30)


def _keypoints() -> Reader:
    from video2reward.tools.pose.keypoint_file import read_keypoints

    clip = _clip()
    return lambda path: read_keypoints(path, clip)


_POINTS = ("left_front_paw", "right_front_paw", "left_hind_paw", "right_hind_paw", "nose", "withers", "tail_base")


def _plain_csv(folder: Path) -> list[bytes]:
    head = ",".join(f"{p}_x,{p}_y,{p}_confidence" for p in _POINTS)
    rows = [",".join([str(t), *(f"{10 + t + i}.5,{20 - i},0.9" for i in range(len(_POINTS)))]) for t in range(12)]
    return ["\n".join([f"frame,{head}", *rows]).encode()]


def _deeplabcut(folder: Path) -> list[bytes]:
    tops = ("scorer", *["net"] * (3 * len(_POINTS)))
    parts = ("bodyparts", *(p for p in _POINTS for _ in range(3)))
    coords = ("coords", *(("x", "y", "likelihood") * len(_POINTS)))
    rows = [[str(t), *(f"{10 + t + i}.5,{20 - i},0.9" for i in range(len(_POINTS)))] for t in range(12)]
    return ["\n".join(",".join(row) for row in (tops, parts, coords, *rows)).encode()]


def _coco(folder: Path) -> list[bytes]:
    keypoints = [v for i in range(len(_POINTS)) for v in (10.0 + i, 20.0, 2)]
    document = {
        "categories": [{"id": 1, "name": "dog", "keypoints": list(_POINTS), "skeleton": []}],
        "images": [{"id": t + 1, "file_name": f"{t:06d}.png", "width": 64, "height": 48} for t in range(8)],
        "annotations": [
            {"id": t, "image_id": t + 1, "category_id": 1, "keypoints": keypoints, "bbox": [1, 2, 30, 20], "score": 0.9}
            for t in range(8)
        ],
    }
    bare = [{"image_id": t, "category_id": 1, "keypoints": keypoints, "score": 0.8} for t in range(8)]
    return [json.dumps(document).encode(), json.dumps({**document, "annotations": bare[1:]}).encode()]


def _npz(folder: Path) -> list[bytes]:
    import numpy as np

    made = []
    for save in (np.savez, np.savez_compressed):
        buffer = io.BytesIO()
        xy = np.random.default_rng(0).uniform(5.0, 40.0, (12, len(_POINTS), 2)).astype(np.float32)
        confidence = np.full(xy.shape[:2], 0.9, np.float32)
        save(buffer, names=np.array(_POINTS), xy=xy, confidence=confidence, frame=np.arange(12))
        made.append(buffer.getvalue())
    return made


def _rewards(folder: Path) -> list[bytes]:
    head = "import torch\nfrom video2reward.sim.contract import RewardState, Tensor, term\n\n"
    motion = 'MOTION = {"gait": "trot", "speed_m_s": 1.0, "stride_frequency_hz": 2.2, '
    motion += '"phase_offsets": (0.0, 0.5, 0.5, 0.0), "duty_factor": (0.5, 0.5, 0.5, 0.5)}\n\n'
    term = '@term(weight=1.5, serves="speed")\ndef speed(s: RewardState) -> Tensor:\n    """Go."""\n'
    bodies = (
        "    return torch.exp(-4.0 * (s.base_lin_vel_b[:, 0] - s.command_speed_m_s) ** 2)\n",
        "    total = torch.zeros_like(s.base_height_m)\n    for i in range(4):\n"
        "        total = total + torch.where(s.feet_contact[:, i] > 0.5, 1.0, 0.0)\n    return total / 4\n",
    )
    return [(head + motion + term + body).encode() for body in bodies]


def _guard() -> Reader:
    from video2reward.memory.errors import BadReward
    from video2reward.sim.config import GO1
    from video2reward.sim.contract import motion_of
    from video2reward.sim.guard import refuse_unsafe
    from video2reward.sim.reward_text import read_text

    def read(path: Path) -> None:
        try:
            motion_of(path, GO1)
        except BadReward:
            pass
        refuse_unsafe(read_text(path), path.name, GO1)

    return read


def _records(folder: Path) -> list[bytes]:
    return [json.dumps({"kind": kind.__name__, "record": example}).encode() for kind, example in _kinds().items()]


def _load_record() -> Reader:
    from video2reward.memory import runs

    kinds = list(_kinds())

    def read(path: Path) -> None:
        # Which kind a file is read as hangs on its place in the run folder, not on what it says.
        data = path.read_bytes()
        begin = data.find(b'"record": ')
        whole = path.with_name("record.json")
        whole.write_bytes(data[begin + 10 : -1] if begin >= 0 else data)
        named = [kind for kind in kinds if f'"{kind.__name__}"'.encode() in data[:60]]
        runs.load(named[0] if named else kinds[len(data) % len(kinds)], whole)

    return read


def _kinds() -> dict[type[BaseModel], dict]:
    """Return each kind of record that lies in a file of its own, with the JSON of an example."""
    from video2reward.agent.budget import Spending
    from video2reward.agent.folder import ProposedLap

    found = examples()
    drafts = [found[RewardDraft]]
    return {**found, Spending: {"wall_s": 1.5, "laps": 1}, ProposedLap: {"lap": 1, "drafts": drafts, "begun_wall_s": 1}}


def _rollouts(folder: Path) -> list[bytes]:
    return [small_rollout()]


def _rollout() -> Reader:
    from video2reward.tools.critic.evidence import read_meta, read_rollout

    def read(path: Path) -> None:
        read_meta(path)
        read_rollout(path)

    return read


def _answers(folder: Path) -> list[bytes]:
    answer = {
        "rationale": "Trot like the dog.",
        "terms": [
            {"name": "speed", "weight": 1.0, "serves": "speed", "doc": "Go.", "body": "return s.base_height_m"},
            {"name": "feet", "weight": 2, "serves": "duty", "doc": "", "body": "x = s.feet_contact\nreturn x.sum(-1)"},
        ],
        "edits": ["more speed"],
    }  # fmt: skip
    text = json.dumps(answer)
    fenced = f"<think>so</think>Here you are:\n```json\n{text}\n```\nGood luck!"
    return [text.encode(), fenced.encode(), f"```python\n{_rewards(folder)[0].decode()}\n```".encode()]


def _answer() -> Reader:
    from video2reward.agent.answers import draft_from, read_answer
    from video2reward.tools.write_reward import compose

    target = MotionTarget.model_validate(examples()[MotionTarget])

    def read(path: Path) -> None:
        answer = read_answer(path.read_bytes().decode(errors="replace"))
        compose(draft_from(answer, author="a model", parent=None, edits_of_parent=False), target)

    return read


def _progress(folder: Path) -> list[bytes]:
    row = {"iteration": 1, "env_steps": 3072, "wall_s": 0.5, "mean_reward": 0.1, "terms": {"speed": 0.5, "feet": 0.25}}
    return ["".join(json.dumps({**row, "iteration": i, "env_steps": 3072 * i}) + "\n" for i in range(1, 9)).encode()]


def _curves() -> Reader:
    from video2reward.tools import airlock
    from video2reward.tools.critic.curves import curves, read_progress

    def read(path: Path) -> None:
        airlock.last_row(path)
        if progress := read_progress(path):
            curves(progress, 1.0)

    return read


def _results(folder: Path) -> list[bytes]:
    return [json.dumps(examples()[TrainingRun]).encode()]


def _result() -> Reader:
    from video2reward.tools.train_policy import read_result

    spec = TrainingSpec.model_validate(examples()[TrainingSpec])

    def read(path: Path) -> None:
        read_result(path.parent, spec, 60.0)

    return read


def _policies(folder: Path) -> list[bytes]:
    import torch
    from video2reward.sim.config import GO1
    from video2reward.sim.learner import interface_of

    weights = {"mlp.0.weight": torch.ones(4, 3), "mlp.0.bias": torch.zeros(4)}
    buffer = io.BytesIO()
    torch.save({"interface": interface_of(GO1), "env_steps": 7, "actor_state_dict": weights}, buffer)
    return [buffer.getvalue()]


def _policy() -> Reader:
    from video2reward.sim.config import GO1
    from video2reward.sim.learner import load_checkpoint

    return lambda path: load_checkpoint(path, GO1)


def _bad_answer() -> tuple[type[Exception], ...]:
    from video2reward.agent.answers import BadAnswer

    return (V2RError, BadAnswer)


def _robots(folder: Path) -> list[bytes]:
    import video2reward.sim.robots as robots

    (home,) = list(robots.__path__)[:1]
    return [*((Path(home) / name).read_bytes() for name in ("go1.xml", "g1.xml")), _foreign_robot()]


def _foreign_robot() -> bytes:
    """Return a short model with what ours lack: degrees, motors, a rest key, classes, a mesh that is not there."""
    legs = "".join(
        f"""<body name="a{i}" pos="{x} {y} 0"><joint name="a{i}" axis="1 0 0" range="-50 50"/>
        <geom class="limb" size=".04"/><body name="b{i}"><joint name="b{i}" axis="0 1 0" range="-60 120"/>
        <geom type="capsule" fromto="0 0 0 0 0 -.2" size=".02"/><body name="c{i}" pos="0 0 -.2">
        <joint name="c{i}" axis="0 1 0" range="-150 -20"/><geom type="capsule" fromto="0 0 0 0 0 -.2" size=".02"/>
        </body></body></body>"""
        for i, (x, y) in enumerate(((0.2, 0.1), (0.2, -0.1), (-0.2, 0.1), (-0.2, -0.1)))
    )
    drives = "".join(f'<motor joint="{part}{i}" gear="20" ctrlrange="-1 1"/>' for i in range(4) for part in "abc")
    return f"""<mujoco model="dog"><compiler angle="degree" autolimits="true"/><default><default class="limb">
        <geom type="sphere" rgba="1 0 0 1" mass=".5"/></default></default>
        <asset><mesh name="shell" file="shell.stl"/></asset><worldbody><geom type="plane" size="5 5 .1"/>
        <body name="trunk" pos="0 0 .5"><freejoint/><geom type="box" size=".25 .08 .05" mass="6"/>
        <geom type="mesh" mesh="shell"/>{legs}</body></worldbody><actuator>{drives}</actuator><keyframe>
        <key name="home" qpos="0 0 .36 1 0 0 0{" 0 .7 -1.4" * 4}"/></keyframe></mujoco>""".encode()


def _robot() -> Reader:
    from video2reward.sim.robots.adopt import adopt

    return lambda path: adopt(path, path.parent / "robot")


PARSERS = (
    Parser("coco", ".json", _coco, _keypoints),
    Parser("deeplabcut", ".csv", _deeplabcut, _keypoints),
    Parser("csv", ".csv", _plain_csv, _keypoints),
    Parser("npz", ".npz", _npz, _keypoints),
    Parser("reward", ".py", _rewards, _guard),
    Parser("records", ".json", _records, _load_record),
    Parser("rollout", ".npz", _rollouts, _rollout),
    Parser("answers", ".txt", _answers, _answer, _bad_answer()),
    Parser("progress", ".jsonl", _progress, _curves),
    Parser("result", ".json", _results, _result),
    Parser("policy", ".pt", _policies, _policy),
    Parser("mjcf", ".xml", _robots, _robot),
)
