"""The trial: a reward is called on scripted states before anything is trained with it.

Every term must give a finite, bounded, floating (num_envs,) tensor on each of them, the same for the same state, in
whatever order the environments stand, and leave the state as it was; and the scripted gait must earn more than
standing still, lying down or chattering in place. What is allowed but looks like a mistake is a remark.

`python -m video2reward.sim.trial reward.py target.json` tries one and prints a `TrialReport` as a line of JSON. With
`--serve` it reads requests line by line and tries each in a fork of its own, so that torch is imported once.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import json
import select
import signal
import sys
import time
from dataclasses import fields
from pathlib import Path

import torch
from torch import Tensor
from video2reward.memory import runs
from video2reward.memory.errors import BadReward, V2RError
from video2reward.memory.records import MotionTarget, TrialReport
from video2reward.sim import scripted
from video2reward.sim.config import RobotConfig, robot_config, robot_from_json
from video2reward.sim.contract import RewardState, Term
from video2reward.sim.guard import load_guarded_text
from video2reward.sim.lockdown import Limits, lock_down
from video2reward.sim.reward_text import read_text

MOST = 1e6
"""How large a term, and weight x term, may be on a state of a robot that is whole."""
MOST_SECONDS = 0.25
"""How long all terms together may take for NUM_ENVS environments."""
NUM_ENVS = 4096
_MOST_CPU_S = 60
_SAID = {
    "gait": "a plain state",
    "rough": "a plain state",
    "exploding": "the large numbers before a simulation breaks",
    "nothing": "a state of zeros (nothing moves, no foot touches)",
}
_WHOLE = ("gait", "standing", "lying", "vibrating", "falling", "flight", "rough")


def try_reward(path: Path, target: MotionTarget) -> TrialReport:
    """Try a reward file; what is wrong with it is in the report."""
    try:
        return try_text(read_text(path), target, path.name)
    except BadReward as error:
        return TrialReport(problem=str(error))


def try_text(text: str, target: MotionTarget, name: str = "reward.py", robot: RobotConfig | None = None) -> TrialReport:
    """Try a reward's text; what is wrong with it is in the report. Without `robot`, it is the target's."""
    torch.set_num_threads(1)
    robot = robot or robot_config(target.robot)
    try:
        return try_terms(load_guarded_text(text, name, robot), target, robot)
    except BadReward as error:
        return TrialReport(problem=str(error))


def try_terms(terms: tuple[Term, ...], target: MotionTarget, robot: RobotConfig) -> TrialReport:
    """Try a reward's terms. Raises BadReward for a term that breaks the contract."""
    states = {
        "gait": scripted.scripted_gait(robot, target),
        "standing": scripted.standing_still(robot, target),
        "lying": scripted.lying_still(robot, target),
        "vibrating": scripted.vibrating(robot, target),
        "falling": scripted.falling(robot, target),
        "flight": scripted.in_flight(robot, target),
        "rough": scripted.rough(robot, target),
        "exploding": scripted.exploding(robot, target),
        "nothing": scripted.nothing_at_all(robot, target),
    }
    values = {name: {term.name: _value(term, state, name) for term in terms} for name, state in states.items()}
    for term in terms:
        _same_again(term, states["rough"], values["rough"][term.name])
    seconds = _seconds(terms, states["rough"])
    weights = {term.name: term.weight for term in terms}
    means = {name: {t: weights[t] * float(v.float().mean()) for t, v in values[name].items()} for name in _WHOLE}
    earned = {name: sum(means[name].values()) for name in ("gait", "standing", "lying", "vibrating")}
    return TrialReport(
        problem=_cheaper_than_moving(earned, target),
        remarks=tuple(_remarks(terms, values, states, target)),
        by_term=means["gait"],
        seconds_per_call=round(seconds, 5),
        **earned,
    )


def _value(term: Term, state: RewardState, name: str) -> Tensor:
    """Call a term and hold what it returns, and the state it leaves, against the contract."""
    before = {item.name: getattr(state, item.name) for item in fields(state)}
    kept = {key: value.clone() for key, value in before.items() if isinstance(value, Tensor)}
    try:
        value = term.function(state)
    except Exception as error:  # whatever a term raises is the reward's fault
        raise BadReward(f"the term {term.name} raises {type(error).__name__}: {error}.") from error
    num_envs = len(state.gait_phase)
    if not isinstance(value, Tensor) or tuple(value.shape) != (num_envs,):
        shape = tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__
        raise BadReward(f"the term {term.name} returns {shape}, not a tensor of shape (num_envs,).")
    if not value.dtype.is_floating_point:
        raise BadReward(f"the term {term.name} returns {str(value.dtype)[6:]}; end it with .float().")
    if any(not torch.equal(kept[key], before[key]) for key in kept):
        raise BadReward(f"the term {term.name} changes the state; make a new tensor.")
    where = _SAID.get(name, name)
    if not bool(torch.isfinite(value).all()):
        cure = "clamp what is divided by, rooted or put into exp and log."
        raise BadReward(f"the term {term.name} is infinite or undefined on {where}: {cure}")
    largest = float(value.abs().max())
    if name in _WHOLE and max(1.0, abs(term.weight)) * largest > MOST:
        raise BadReward(f"the term {term.name} is {largest:.2g}, weight {term.weight:g}, on {where}: bound it.")
    return value


def _same_again(term: Term, state: RewardState, value: Tensor) -> None:
    """Refuse a term that is not the same a second time, in another order, or for an environment by itself."""
    if not torch.equal(_value(term, state, "rough"), value):
        raise BadReward(f"the term {term.name} gives another number for the same state.")
    order = torch.randperm(len(value), generator=torch.Generator().manual_seed(1))
    turned = _value(term, scripted.each_tensor(state, lambda x: x[order]), "rough")
    alone = _value(term, scripted.each_tensor(state, lambda x: x[5:6]), "rough")
    if not (torch.allclose(turned, value[order], 1e-4, 1e-5) and torch.allclose(alone, value[5:6], 1e-4, 1e-5)):
        raise BadReward(
            f"the term {term.name} gives an environment another number when the others change: reduce over features "
            "(dim=-1), never over environments."
        )


def _seconds(terms: tuple[Term, ...], state: RewardState) -> float:
    """Return how long all terms take for NUM_ENVS environments, the quicker of two calls."""
    many = scripted.each_tensor(state, lambda x: x.repeat(NUM_ENVS // len(x), *[1] * (x.dim() - 1)))
    taken = []
    for _ in range(2):
        started = time.perf_counter()
        for term in terms:
            _value(term, many, "rough")
        taken.append(time.perf_counter() - started)
        if taken[0] > 4.0 * MOST_SECONDS:
            break
    if min(taken) > MOST_SECONDS:
        raise BadReward(f"the terms take {min(taken):.2f} s for {NUM_ENVS} environments; at most {MOST_SECONDS} s.")
    return min(taken)


def _cheaper_than_moving(earned: dict[str, float], target: MotionTarget) -> str:
    if abs(target.speed_m_s) <= 1e-3 and target.gait in ("stand", "unknown"):
        return ""
    said = {"standing": "standing still", "lying": "lying down", "vibrating": "chattering with the feet in place"}
    best = max(said, key=earned.__getitem__)
    if earned["gait"] > max(earned[best], 0.0):
        return ""
    return (
        f"{said[best]} would earn {earned[best]:.2f} a step, the gait itself {earned['gait']:.2f}: "
        "a robot would learn not to move."
    )


def _remarks(
    terms: tuple[Term, ...],
    values: dict[str, dict[str, Tensor]],
    states: dict[str, RewardState],
    target: MotionTarget,
) -> list[str]:
    """Say what may be trained with but looks like a mistake."""
    found, sizes = [], {}
    for term in terms:
        seen = torch.cat([values[name][term.name] for name in _WHOLE])
        sizes[term.name] = abs(term.weight) * float(seen.abs().mean())
        if float(seen.max() - seen.min()) < 1e-7:
            found.append(f"the term {term.name} is always {float(seen[0]):g}: it teaches nothing.")
    for name, large in sizes.items():
        others = [size for other, size in sizes.items() if other != name]
        if others and large > 1000.0 * max(*others, 1e-9):
            found.append(f"the term {name} is over a thousand times larger than all others: they will not be heard.")
    if target.speed_m_s:
        unasked = scripted.each_tensor(states["standing"], torch.clone)
        unasked.command_speed_m_s.zero_()
        for term in terms:
            try:
                _value(term, unasked, "a command of zero")
            except BadReward as error:
                found.append(str(error))
    return found


def serve(seconds: float) -> None:
    """Answer requests, a line of JSON each with `text`, `target` and `robot`, until standard input ends."""
    for line in sys.stdin:
        print(_answered_apart(line, seconds), flush=True)


def _answered_apart(line: str, seconds: float) -> str:
    """Try one request in a fork that locks itself down; return its report, or what became of it."""
    told, tell = os.pipe()
    if (child := os.fork()) == 0:
        try:
            _answer(line, seconds, tell)
        finally:
            os._exit(0)
    os.close(tell)
    answer, deadline = b"", time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0 and select.select([told], [], [], left)[0]:
        if not (part := os.read(told, 1 << 16)):
            break
        answer += part
    os.close(told)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    if answer:
        return answer.decode(errors="replace").replace("\n", " ")
    late = time.monotonic() >= deadline
    said = f"the reward was still computing after {seconds:.0f} s on a handful of states." if late else (
        "the trial ended without a word: the reward takes more memory or time than it may."
    )  # fmt: skip
    return TrialReport(problem=said).model_dump_json()


def _answer(line: str, seconds: float, tell: int) -> None:
    """Try one request and write its report. Requests and answers of others are out of reach: their pipes are closed."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nothing, stream)
    try:
        lock_down(Limits(cpu_s=int(seconds) + 1, file_bytes=1 << 20))
        asked = json.loads(line)
        target = MotionTarget.model_validate(asked["target"])
        report = try_text(asked["text"], target, robot=robot_from_json(asked["robot"]))
    except MemoryError:
        report = TrialReport(problem="the reward takes more memory than a trial has.")
    except (V2RError, ValueError, RuntimeError) as error:
        report = TrialReport(problem=f"the trial failed: {type(error).__name__}: {error}")
    os.write(tell, report.model_dump_json().encode())


def main(argv: list[str] | None = None) -> int:
    """Try a reward for a target and print the report; exit 2 where it may not be trained with."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("reward", type=Path, nargs="?")
    parser.add_argument("target", type=Path, nargs="?")
    parser.add_argument("--serve", type=float, metavar="SECONDS", help="answer requests, each within so many seconds")
    arguments = parser.parse_args(argv)
    torch.set_num_threads(1)
    if arguments.serve:
        serve(arguments.serve)
        return 0
    wanted = runs.load(MotionTarget, arguments.target)
    lock_down(Limits(cpu_s=_MOST_CPU_S, file_bytes=1 << 20))
    report = try_reward(arguments.reward, wanted)
    print(report.model_dump_json())
    return 2 if report.problem else 0


if __name__ == "__main__":
    sys.exit(main())
