"""The nodes of the loop. Each finds its own result on disk when it is entered a second time and does nothing twice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from video2reward.agent import steering as steer
from video2reward.agent.authors import Author, Usage
from video2reward.agent.budget import Limits, Purse, reached, wall_left_s
from video2reward.agent.choosing import with_wish
from video2reward.agent.decide import best_of, decide, first_decision, gain_of_last_quarter, is_good_enough
from video2reward.agent.finish import fails_again
from video2reward.agent.folder import RunFolder
from video2reward.agent.judging import give_verdict
from video2reward.agent.looking import Critic
from video2reward.agent.plan import num_parallel, plan
from video2reward.agent.proposing import ask_author, write_candidates
from video2reward.agent.state import RunState
from video2reward.agent.steering import with_current_target
from video2reward.agent.stopwatch import Stopwatch
from video2reward.agent.toolbox import Toolbox
from video2reward.agent.transfer import outcome, tried
from video2reward.memory import runs
from video2reward.memory.errors import BadClip
from video2reward.memory.records import (
    Attempt,
    ClipDescription,
    Decision,
    MotionTarget,
    Recollection,
    TrainingRun,
)
from video2reward.sim.config import robot_title

JUDGE_SEED = 1000
_REMEMBERED = 3


class Remembering(Protocol):
    """What the loop needs of the memory."""

    def recall(self, motion: MotionTarget, robot: str | None, k: int) -> list[Recollection]: ...

    def remember(self, attempt: Attempt, folder: Path) -> None: ...

    @property
    def trouble(self) -> list[str]:
        """What went wrong with the memory so far; it is told, and is never the reason for a run to fail."""
        ...


@dataclass
class Nodes:
    """The nodes, and what they act on."""

    disk: RunFolder
    tools: Toolbox
    author: Author
    memory: Remembering | None
    limits: Limits
    purse: Purse
    tell: Callable[..., None]
    on_row: Callable[[str, dict[str, object]], None]
    on_share: Callable[[float], None]
    critic: Critic | None = None
    stopwatch: Stopwatch = field(default_factory=Stopwatch)
    _told_calls: int = 0

    def watch(self, state: RunState) -> RunState:
        """Follow the subject through the clip."""
        path = self.disk.path / "description.json"
        if path.exists() and (self.disk.path / "track.json").exists():
            description = runs.load(ClipDescription, path)
        else:
            description = self.tools.describe(state["request"], self.disk.path, self.on_share)
        quality = description.quality
        if quality.verdict == "refuse" or description.gait is None:
            why = " ".join(quality.reasons) or "no gait could be measured."
            raise BadClip(f"{description.clip.path} cannot be used: {why}", " ".join(quality.advice))
        gait = description.gait
        self.tell(
            "watched", subject=description.subject, gait=gait.gait, stride_frequency_hz=gait.stride_frequency_hz,
            speed_leg_lengths_s=gait.speed_leg_lengths_s, verdict=quality.verdict, reasons=quality.reasons,
        )  # fmt: skip
        return {"gait": gait}

    def describe(self, state: RunState) -> RunState:
        """Carry the gait over to the robot."""
        target = self.tools.retarget(state["gait"], state["request"].robot)
        if target.feasibility == "infeasible":
            raise BadClip(
                f"{robot_title(target.robot)} cannot move like this: {' '.join(target.notes)}", "Choose another clip."
            )
        runs.save(target, self.disk.path / "target.json")
        self.tell(
            "target", robot=target.robot, gait=target.gait, speed_m_s=target.speed_m_s,
            stride_frequency_hz=target.stride_frequency_hz, notes=target.notes,
        )  # fmt: skip
        return {"target": target}

    def recall(self, state: RunState) -> RunState:
        """Look for rewards that made something much like it."""
        hits = self.memory.recall(state["target"], state["request"].robot, _REMEMBERED) if self.memory else []
        self._tell_trouble()
        hits = tried(hits, state["target"], self.tools, self.tell)
        decision = first_decision(hits)
        self._record(decision)
        return {"remembered": hits, "decision": decision, "lap": 0}

    def propose(self, state: RunState) -> RunState:
        """Have the author write this lap's candidates; guard and try each."""
        lap = state["lap"] + 1
        proposed = self.disk.lap(lap)
        if proposed is None:
            proposed = ask_author(state, lap, self.author, self.disk, self.tools, self.limits, self.purse, self.tell)
            self._count_usage()
            self.disk.save_lap(proposed)
        target = proposed.target or state["target"]
        names = write_candidates(proposed, target, self.author.name, self.disk, self.tools, self.tell)
        return {"lap": lap, "candidates": names, "target": target}

    def train(self, state: RunState) -> RunState:
        """Train every candidate that was not refused, each in a worker of its own.

        A candidate is judged while the others still train, and ends them where it is good enough already.
        """
        names = [name for name in state["candidates"] if self.disk.program(name).status == "ok"]
        if names:
            specs = plan(
                state["request"], state["target"], self.disk, names, state["lap"], state["remembered"],
                self.limits, self.purse.now(),
            )  # fmt: skip
            for spec in specs:
                self.tell("training", attempt=spec.attempt, max_env_steps=spec.max_env_steps,
                          max_wall_s=spec.max_wall_s, warm_start=spec.warm_start)  # fmt: skip
            folders = [self.disk.attempt(name) for name in names]
            self.tools.train(
                specs,
                folders,
                num_parallel(len(names)),
                self.on_row,
                lambda run: self._on_trained(state, run),
                lambda: self._reason_to_stop() or self._good_enough(names),
            )
        return {}

    def judge(self, state: RunState) -> RunState:
        """Have the policies judged that were not yet, by a process that never runs reward code."""
        names = [name for name in state["candidates"] if self._has_policy(name)]
        open_names = [name for name in names if not self.disk.critique(name)]
        if self._good_enough(names):
            open_names = []
        failure: Exception | None = None
        for name in open_names:
            failure = self._verdict(state, name) or failure
        if failure and not any(self.disk.critique(name) for name in names):
            raise failure
        return {}

    def remember(self, state: RunState) -> RunState:
        """Write the lap's attempts down, failures too, and put them into the memory."""
        for index, name in enumerate(state["candidates"]):
            folder = self.disk.attempt(name)
            program, draft = self.disk.program(name), self.disk.draft(name)
            ours = draft.warm_start if draft else None
            attempt = Attempt(
                id=name,
                lap=state["lap"],
                candidate=index + 1,
                target=state["target"],
                program=program,
                training=self.disk.training(name),
                critique=self.disk.critique(name),
                recalled_from=ours if ours in {hit.attempt for hit in state["remembered"]} else None,
            )
            runs.save(attempt, folder / "attempt.json")
            if self.memory:
                self.memory.remember(attempt, folder)
        self._tell_trouble()
        if compared := outcome([attempt for attempt in self.disk.attempts() if attempt.lap == state["lap"]]):
            self.tell("transferred", **compared)
        self._count(state["lap"])
        return {}

    def decide(self, state: RunState) -> RunState:
        """Choose what comes next by the rules, and write it down with its numbers."""
        attempts, decision = self._by_the_rules(state)
        if decision.ending == "passed" and not decision.limit and not self._asked_to_stop():
            # Whoever stops with room for more must be right: what passed has to pass on fresh seeds too.
            while decision.ending == "passed" and not decision.limit and self._fails_again(decision):
                attempts, decision = self._by_the_rules(state)
        decision = with_wish(decision, self.author, attempts)
        self._count_usage()
        lap = self.disk.lap(state["lap"])
        limit = reached(self.limits, self.purse.now())
        decision = steer.heeding(decision, lap.steering if lap else (), steer.asked(self.disk.path), limit)
        if asked := self._asked_to_stop():
            best = best_of(attempts)
            decision = decision.model_copy(
                update={"action": "stop", "ending": "stopped", "reason": asked, "parent": best.id if best else None}
            )
        self._record(decision)
        return {"decision": decision}

    def _by_the_rules(self, state: RunState) -> tuple[list[Attempt], Decision]:
        attempts = with_current_target(self.disk.attempts())
        rising, remembered = self._rising(attempts), state.get("remembered", [])
        return attempts, decide(attempts, self.limits, self.purse.now(), rising, remembered)

    def _fails_again(self, decision: Decision) -> bool:
        failed = fails_again(self.disk, decision.parent, self.tools, self.tell) if decision.parent else None
        if failed and self.memory:
            self.memory.remember(failed, self.disk.attempt(failed.id))
        return failed is not None

    def _on_trained(self, state: RunState, run: TrainingRun) -> None:
        if self.disk.training(run.attempt) is None:
            self.disk.save_training(run)
            self.tell("trained", attempt=run.attempt, status=run.status, reason=run.reason,
                      env_steps=run.env_steps, wall_s=run.wall_s)  # fmt: skip
        if run.status in ("ok", "timeout") and self._has_policy(run.attempt) and not self.disk.critique(run.attempt):
            self._verdict(state, run.attempt)

    def _has_policy(self, name: str) -> bool:
        run = self.disk.training(name)
        return run is not None and run.checkpoint is not None and run.status != "rejected"

    def _verdict(self, state: RunState, name: str) -> Exception | None:
        failure = give_verdict(
            name, state["gait"], state["target"], JUDGE_SEED + state["lap"], self.disk, self.tools, self.critic,
            self.purse, self.tell,
        )  # fmt: skip
        if self.critic:
            self._count_usage()
        return failure

    def _good_enough(self, names: list[str]) -> str:
        """Return why the rest of a lap may be spared, or ""."""
        for name in names:
            critique = self.disk.critique(name)
            if critique and critique.passed and is_good_enough(critique.similarity):
                return f"{name} was good enough before it ended."
        return ""

    def _reason_to_stop(self) -> str:
        if asked := self._asked_to_stop():
            return asked
        if wall_left_s(self.limits, self.purse.now()) <= 0.0:
            return f"the {self.limits.wall_s / 60:.3g} minutes ended."
        return ""

    def _asked_to_stop(self) -> str:
        try:
            return (self.disk.path / "STOP").read_text(encoding="utf-8").strip() or "The run was asked to stop."
        except FileNotFoundError:
            return ""

    def _count(self, lap: int) -> None:
        attempts = self.disk.attempts()
        spent = self.purse.now()
        proposed = self.disk.lap(lap)
        begun_s = proposed.begun_wall_s if proposed else spent.wall_s
        self.purse.note(
            laps=lap,
            candidates=len(attempts),
            env_steps=sum(attempt.training.env_steps for attempt in attempts if attempt.training),
            longest_lap_s=max(spent.longest_lap_s, spent.wall_s - begun_s),
        )

    def _rising(self, attempts: list[Attempt]) -> dict[str, float]:
        return {attempt.id: gain_of_last_quarter(self.disk.rewards(attempt.id)) for attempt in attempts}

    def _count_usage(self) -> None:
        usages = [getattr(asked, "usage", Usage()) for asked in (self.author, self.critic)]
        usage = Usage(
            calls=sum(used.calls for used in usages),
            input_tokens=sum(used.input_tokens for used in usages),
            output_tokens=sum(used.output_tokens for used in usages),
        )
        if usage.calls > self._told_calls:
            self._told_calls = usage.calls
            spent = self.purse.now()
            self.tell("author", name=self.author.name, tokens=spent.tokens, usd=round(spent.usd, 6),
                      unpriced_tokens=spent.unpriced_tokens, **usage.model_dump())  # fmt: skip

    def _tell_trouble(self) -> None:
        while self.memory and self.memory.trouble:
            self.tell("memory", trouble=self.memory.trouble.pop(0))

    def _record(self, decision: Decision) -> None:
        self.disk.add_decision(decision)
        self.tell("decided", **decision.model_dump())
