"""The chat's tools for a language model: the loop's four tools, one by one, and what can be done with whole runs.

A tool returns a sentence, also where something cannot be done: an exception inside a tool would end the conversation.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from video2reward.agent.answers import RewardAnswer, TermAnswer, draft_from
from video2reward.agent.desk import Desk
from video2reward.agent.wishes import wished
from video2reward.memory import runs
from video2reward.memory.errors import BadInput, V2RError
from video2reward.memory.records import MotionTarget, Steering


def chat_tools(desk: Desk) -> list[Any]:
    """Return the tools of a conversation, as langchain's."""
    from langchain_core.tools import StructuredTool

    def run_named(name: str) -> Path | None:
        return desk.use(name) if name.strip() else None

    def extract_keypoints(clip: str, keypoints: str = "") -> str:
        """Follow the subject of a clip and measure its gait: what moves, how, and how far to trust it."""
        return desk.describe(Path(clip).expanduser(), _path(keypoints))

    def write_reward(terms: list[TermAnswer], rationale: str, run: str = "") -> str:
        """Write a reward file for a run's motion, guard it and try it; returns its path or why it is refused."""
        return _write_reward(desk, run_named(run), terms, rationale)

    def train_policy(reward: str, robot: str = "go1", minutes: float = 10.0) -> str:
        """Train a policy with a reward file, in a process of its own, and judge it there."""
        return _train(desk, Path(reward).expanduser(), robot, minutes)

    def render_and_critique(run: str = "") -> str:
        """Judge the best policy of a run again on fresh seeds: gates, similarity, verdict. Takes half a minute."""
        folder = run_named(run) or desk.use(str(desk.now.run or ""))
        return desk.commands.run(["judge", str(folder)]).strip()

    def recall_rewards(clip: str = "", keypoints: str = "", robot: str = "") -> str:
        """Say which remembered rewards are near a clip in motion, and how they differ."""
        return desk.recall(_path(clip), _path(keypoints), robot or None)

    def start_run(
        clip: str = "", robot: str = "", minutes: float = 10.0, usd: float = 1.0, wish: str = "", keypoints: str = ""
    ) -> str:
        """Start a run on a clip file, by default the last one named; it goes on until it stops by itself.

        robot: go1, g1, the path of an MJCF, or the name of a robot that was inspected; by default the last one.
        minutes: the most wall time. usd: the most its language models may cost. wish: what is asked for beyond the
        clip, in the person's words. keypoints: a file of keypoints that belongs to the clip, if there is one.
        """
        steering = next(iter(wished(wish, reads=True)), None)
        return desk.start(
            _path(clip), robot=robot or None, minutes=minutes, usd=usd, steering=steering, keypoints=_path(keypoints)
        )

    def run_status(run: str = "") -> str:
        """Say how a run stands, by default the one that is talked about."""
        return desk.status(run_named(run))

    def list_runs() -> str:
        """List the latest runs."""
        return desk.listing()

    def steer_run(
        said: str,
        speed_factor: float = 1.0,
        cadence_factor: float = 1.0,
        swing_height_factor: float = 1.0,
        weight_factors: dict[str, float] | None = None,
        weights: dict[str, float] | None = None,
        remove_terms: list[str] | None = None,
        speed_m_s: float | None = None,
        run: str = "",
    ) -> str:
        """Ask something of a run in the person's words `said` and in numbers; it follows at its next lap.

        speed_factor 0.2 to 3, cadence_factor and swing_height_factor 0.3 to 3: multiply what is wanted now; 1 changes
        nothing. speed_m_s: a speed as such, in place of speed_factor. weight_factors: by term or kind of term, what
        its weight is multiplied by. weights: new weights. remove_terms: terms or kinds that shall go. A finished run is
        followed by a new one that begins with the wish.
        """
        steering = Steering(
            said=said, wish=said, speed_factor=speed_factor, cadence_factor=cadence_factor,
            swing_height_factor=swing_height_factor, weight_factors=weight_factors or {}, weights=weights or {},
            remove_terms=tuple(remove_terms or ()),
        )  # fmt: skip
        return desk.steer(steering, run_named(run), speed_m_s=speed_m_s)

    def stop_run(run: str = "") -> str:
        """Ask a run to stop; the best it has is kept."""
        return desk.stop(run_named(run))

    def resume_run(run: str = "") -> str:
        """Go on with a run that was stopped or killed."""
        return desk.go_on(run_named(run))

    def run_overnight(
        clips: list[str] | None = None,
        folder: str = "",
        robots: list[str] | None = None,
        until: str = "07:00",
        usd: float = 5.0,
    ) -> str:
        """Queue clips, or all clips of a folder, for the night, within an hour (HH:MM) and dollars."""
        paths = [Path(clip).expanduser() for clip in clips or []]
        folders = [Path(folder).expanduser()] if folder.strip() else []
        return desk.overnight(paths, folders, robots=robots or [], until=until, usd=usd)

    def explain(run: str = "") -> str:
        """Say why a run stopped, or what it decided last, with the numbers it stands on."""
        return desk.explain(None, run_named(run))

    def show_try(which: str = "best", run: str = "") -> str:
        """Tell one try of a run, by its number from 1, its name (L2-C1), `best` or `last`: reward, verdict, files."""
        return desk.show(int(which) if which.isdigit() else which, run_named(run))

    def compare(first: str, second: str, run: str = "") -> str:
        """Say how two tries of a run differ: weights, gates, errors."""
        one, two = (int(name) if name.isdigit() else name for name in (first, second))
        return desk.compare(one, two, run_named(run))

    functions = (
        extract_keypoints, write_reward, train_policy, render_and_critique, recall_rewards, start_run, run_status,
        list_runs, steer_run, stop_run, resume_run, run_overnight, explain, show_try, compare,
    )  # fmt: skip
    return [StructuredTool.from_function(_sentence(function)) for function in functions]


def _sentence(function: Callable[..., str]) -> Callable[..., str]:
    @functools.wraps(function)
    def said(*args: Any, **kwargs: Any) -> str:
        try:
            return function(*args, **kwargs)
        except ValidationError as error:
            first = error.errors()[0]
            return f"That cannot be done: {'.'.join(map(str, first['loc']))}: {first['msg']}."
        except (V2RError, OSError, ValueError) as error:
            return f"That cannot be done: {error}"

    return said


def _path(name: str) -> Path | None:
    return Path(name).expanduser() if name.strip() else None


def _write_reward(desk: Desk, run: Path | None, terms: list[TermAnswer], rationale: str) -> str:
    from video2reward.tools.write_reward import write_reward

    run = run or desk.now.run
    if run is None:
        raise BadInput("there is no run whose motion the reward could be for.", "Start one, or name it.")
    target = runs.load(MotionTarget, run / "target.json")
    answer = RewardAnswer(terms=terms, rationale=rationale)
    draft = draft_from(answer, author="chat", parent=None, edits_of_parent=False)
    number = 1 + sum(1 for _ in (desk.home / "rewards").glob("R*"))
    folder = desk.home / "rewards" / f"R{number}"
    program = write_reward(draft, target, folder, attempt=folder.name)
    if program.status != "ok":
        return f"It is refused: {program.reason}"
    return f"{folder / 'reward.py'} is written and passes its trial; train_policy trains with it."


def _train(desk: Desk, reward: Path, robot: str, minutes: float) -> str:
    if not reward.is_file():
        raise BadInput(f"there is no reward file {reward}.", "write_reward makes one.")
    if minutes > desk.settings.ask_above_minutes and not desk.allow(f"Train for up to {minutes:g} minutes?"):
        return "Nothing was started."
    out = desk.root.absolute() / f"chat-{reward.parent.name}-{robot}"
    if out.exists():
        raise BadInput(
            f"{out} is there already: this reward was trained with.", f"Judge it: render_and_critique {out}."
        )
    process = desk.commands.spawn(
        ["train", "--reward", str(reward.absolute()), "--robot", robot, "--minutes", f"{minutes:g}", "--out", str(out)],
        out.name,
    )
    return f"Training goes on in {out} (process {process.pid}); its verdict will be {out / 'critique.json'}."
