"""The commands that make something: runs, trainings, verdicts, videos. Heavy parts are imported when they are used."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from video2reward.agent.listings import bench, describe, doctor, guard, list_runs, models, recall
from video2reward.agent.memory_commands import memory
from video2reward.agent.nightly import overnight, status
from video2reward.agent.nightly import resume as resume_all
from video2reward.agent.policy_commands import export, judge, play, show_critique
from video2reward.agent.robot_commands import robot
from video2reward.agent.subject import subject_of
from video2reward.agent.wishes import wished
from video2reward.memory import runs
from video2reward.memory.errors import BadInput
from video2reward.memory.records import (
    MotionTarget,
    RunRequest,
    RunResult,
    TrainingSpec,
)

if TYPE_CHECKING:
    from video2reward.agent import cli

EXIT_BY_STATUS = {"passed": 0, "budget": 3, "failed": 3, "stopped": 130}
_STEPS = {"quadruped": 400_000, "biped": 900_000}


def run(command: cli.Run) -> int:
    """Run the whole loop on a clip."""
    from video2reward.agent.embeddings import open_memory
    from video2reward.agent.screen import Screen
    from video2reward.agent.session import default_out, resume, start
    from video2reward.memory.recall import memory_home
    from video2reward.tools.robots import resolve_robot

    memory = open_memory() if command.memory else None
    with Screen() as screen:
        if command.resume:
            if command.out is None:
                raise BadInput("--resume needs the run folder.", "Name it with --out.")
            result, out = resume(command.out, watcher=screen, memory=memory), command.out
        else:
            robot_name = resolve_robot(command.robot, memory_home())
            out = (command.out or default_out(command.clip, robot_name)).absolute()
            request = RunRequest(
                clip=command.clip.absolute(),
                keypoints=command.keypoints.absolute() if command.keypoints else None,
                robot=robot_name,
                author=command.author,
                critic=command.critic,
                steering=wished(command.wish, reads=command.author != "offline"),
                minutes=command.minutes,
                laps=command.laps,
                candidates=command.candidates,
                most_candidates=command.most_candidates,
                robust=command.robust,
                env_steps=command.env_steps,
                tokens=command.tokens,
                usd=command.usd,
                seed=command.seed,
                out=out,
                memory=memory.home if memory else None,
                slow_motion_factor=command.slow_motion,
                subject=subject_of(command),
                unsafe=command.unsafe,
            )
            result = start(request, watcher=screen, memory=memory)
    show_result(result, out)
    return EXIT_BY_STATUS[result.status]


def train(command: cli.Train) -> int:
    """Train with a reward file, then judge."""
    from video2reward.agent.screen import Screen
    from video2reward.memory.recall import memory_home
    from video2reward.sim.config import robot_config
    from video2reward.tools.confine import require_layers
    from video2reward.tools.render_and_critique import FRESH_SEED, render_and_critique
    from video2reward.tools.robots import resolve_robot
    from video2reward.tools.train_policy import submit, train_policies
    from video2reward.tools.write_reward import adopt_reward, motion_of

    robot = robot_config(resolve_robot(command.robot, memory_home()))
    if not command.reward.is_file():
        raise BadInput(f"there is no reward file {command.reward}.", "Check the path.")
    layers = require_layers("a person", unsafe=command.unsafe)
    target = motion_of(command.reward, robot.name) or default_motion(robot.name)
    out = command.out or Path("runs") / f"train-{robot.title}-{time.strftime('%Y%m%d-%H%M%S')}"
    runs.create(out)
    program = adopt_reward(command.reward, target, out, attempt="train")
    if program.status != "ok":
        raise BadInput(f"{command.reward} cannot be trained with: {program.reason}")
    spec = TrainingSpec(
        attempt="train",
        reward="reward.py",
        target=target,
        seed=command.seed,
        num_threads=2,
        max_env_steps=command.steps or _STEPS[robot.kind],
        max_wall_s=60.0 * command.minutes,
        robust=command.robust,
    )
    with Screen() as screen:
        screen.event("unprotected", {"missing": layers.missing})
        screen.event("training", {"attempt": "train", "max_env_steps": spec.max_env_steps})
        try:
            (training,) = train_policies([submit(spec, out)], on_progress=screen.row)
        except KeyboardInterrupt:
            from video2reward.tools.train_policy import WORKER_MODULE
            from video2reward.tools.workers import Worker

            Worker(out, WORKER_MODULE).cancel()
            raise
        screen.event("trained", training.model_dump())
        if training.checkpoint is None:
            screen.say(f"nothing was learned: {training.reason}")
            return 3
        screen.event("judging", {"attempt": "train"})
        critique = render_and_critique(out, target, seed=FRESH_SEED)
        screen.event("judged", {"attempt": "train", "passed": critique.passed, "gsi": critique.similarity.gsi})
    show_critique(critique)
    print(f"policy: {out / 'policy.pt'}")
    return 0 if critique.passed else 3


def chat(command: cli.Chat) -> int:
    """Talk, or say a few things and end: 0 where all was understood and could be done, 2 where something was not."""
    from video2reward.agent.chat import Chat, GrammarBrain, History, asker
    from video2reward.agent.desk import Desk
    from video2reward.agent.settings import default_model, model_settings

    console = Console()
    settings, ask = model_settings("chat"), asker(command.yes, console)
    desk = Desk(
        command.root, ask, author=command.author, critic=command.critic, unsafe=command.unsafe, settings=settings
    )
    named = command.model or default_model("chat") or "offline"
    if named == "offline":
        brain = GrammarBrain(desk)
    else:
        from video2reward.agent.chat_model import ModelBrain

        name = named.removeprefix("openai:")
        brain = ModelBrain(name, settings, desk, ask, tokens=command.tokens, usd=command.usd)
    talk = Chat(brain, History(desk.home / "history.jsonl"), console)
    if command.say:
        return 0 if all([talk.say(text) for text in command.say]) else 2
    talk.talk()
    return 0


COMMANDS: dict[str, Callable[[Any], int]] = {
    "Run": run,
    "Chat": chat,
    "Overnight": overnight,
    "Resume": resume_all,
    "Status": status,
    "Describe": describe,
    "Train": train,
    "Judge": judge,
    "Recall": recall,
    "Memory": memory,
    "Play": play,
    "Export": export,
    "Guard": guard,
    "Runs": list_runs,
    "Doctor": doctor,
    "Models": models,
    "Robot": robot,
    "Bench": bench,
}


def default_motion(robot: str) -> MotionTarget:
    """Return the motion of a reward that states none: an easy trot, or a walk on two legs (Froude 0.4, 0.1)."""
    from video2reward.sim.config import GRAVITY_M_S2, robot_config

    config = robot_config(robot)
    four = config.kind == "quadruped"
    froude = 0.4 if four else 0.1
    return MotionTarget(
        robot=robot,
        feet=config.feet,
        gait="trot" if four else "walk",
        speed_m_s=round((froude * GRAVITY_M_S2 * config.leg_length_m) ** 0.5, 3),
        stride_frequency_hz=2.2 if four else 0.9,
        duty_factor=(0.5,) * 4 if four else (0.6, 0.6),
        phase_offsets=(0.0, 0.5, 0.5, 0.0) if four else (0.0, 0.5),
        leg_length_m=config.leg_length_m,
        froude=froude,
        notes=("the reward states no MOTION: the default one is used",),
    )


def show_result(result: RunResult, out: Path) -> None:
    print(f"{result.status}: {result.stop_reason}")
    if result.best:
        best = result.best
        print(f"best {best.attempt}: {best.gait} at {best.speed_m_s:.2f} m/s, GSI {best.gsi:.2f}")
    for note in result.notes:
        print(note)
    for name in ("report", "video", "reward", "policy"):
        if path := getattr(result.artifacts, name):
            print(f"{name:<7} {out / path}")
