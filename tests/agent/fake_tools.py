"""Small real tools for the loop: they keep the toolbox's promises in milliseconds and write down each call.

As a program it runs a whole run with them, so that a test can kill it: `python fake_tools.py OUT HANG_IN`; or it goes
on with the run of a queue, which waits in its training for a file called `go on`: `python fake_tools.py --run RUN`.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from video2reward.agent.authors import AuthorBrief
from video2reward.memory import runs
from video2reward.memory.records import (
    Clip,
    ClipDescription,
    Critique,
    GaitDescriptor,
    Gate,
    MotionTarget,
    QualityReport,
    RewardDraft,
    RewardProgram,
    RewardTerm,
    RobotGait,
    RunRequest,
    Similarity,
    TrainingRun,
    TrainingSpec,
)

GAIT = GaitDescriptor(
    subject="quadruped",
    gait="trot",
    stride_frequency_hz=2.0,
    duty_factor={"FL": 0.5, "FR": 0.5, "RL": 0.5, "RR": 0.5},
    phase_offsets={"FL": 0.0, "FR": 0.5, "RL": 0.5, "RR": 0.0},
    speed_leg_lengths_s=3.0,
    froude=0.4,
    leg_length_m_assumed=0.5,
    leg_length_px=100.0,
    stride_frequency_dimensionless=0.45,
)
TARGET = MotionTarget(
    robot="go1",
    feet=("FL", "FR", "RL", "RR"),
    gait="trot",
    speed_m_s=1.0,
    stride_frequency_hz=2.0,
    duty_factor=(0.5,) * 4,
    phase_offsets=(0.0, 0.5, 0.5, 0.0),
    leg_length_m=0.256,
    froude=0.4,
)


def critique(attempt: str, gsi: float, *, passed: bool, seed: int = 0) -> Critique:
    """Return a verdict with every gate alike."""
    names = ("survives", "strict_steps", "speed", "posture")
    return Critique(
        attempt=attempt,
        passed=passed,
        gates=tuple(
            Gate(name=name, passed=passed, value=1.0, needed="1", sentence=f"{name} was looked at.") for name in names
        ),
        similarity=Similarity(
            gsi=gsi if passed else 0.0, gsi_ungated=gsi, E_f=0.01, E_beta=0.05, E_phi=0.02, E_Fr=0.03
        ),
        robot=RobotGait(
            gait="trot", speed_m_s=1.0, stride_frequency_hz=2.0, duty_factor=(0.5,) * 4,
            phase_offsets=TARGET.phase_offsets, froude=0.4, survival=1.0, lifted_steps_hz=(2.0,) * 4,
            raw_touchdowns_hz=(2.0,) * 4, chatter=(0.0,) * 4,
        ),
        verdict="It was judged.", num_envs=1, seconds=1.0, seed=seed,
    )  # fmt: skip


class FakeTools:
    """The toolbox. `gsi` and `passes` say what comes of an attempt judged on a seed; `hang_in` is where it stops."""

    def __init__(
        self,
        gsi: Callable[[str, int], float] = lambda attempt, seed: 0.9,
        passes: Callable[[str, int], bool] = lambda attempt, seed: True,
        verdict: str = "ok",
        hang_in: str = "",
        helps: bool = True,
    ) -> None:
        self.helps = helps
        self.gsi, self.passes, self.verdict, self.hang_in = gsi, passes, verdict, hang_in

    def get_ready(self) -> None:
        """Nothing is tried here."""

    def describe(self, request: RunRequest, run: Path, progress: Callable[[float], None]) -> ClipDescription:
        self._called(run, "describe")
        clip = Clip(
            path=request.clip, sha256="0", fps=30.0, duration_s=4.0, width_px=640, height_px=480, num_frames=120
        )
        description = ClipDescription(
            clip=clip, subject="quadruped", pose_backend="fake", frames_used=120,
            quality=QualityReport(verdict=self.verdict, reasons=("it is dark.",) if self.verdict != "ok" else ()),
            gait=GAIT,
        )  # fmt: skip
        runs.save(description, run / "description.json")
        (run / "track.json").write_text("{}")
        return description

    def retarget(self, gait: GaitDescriptor, robot: str) -> MotionTarget:
        return TARGET

    def write_reward(self, draft: RewardDraft, target: MotionTarget, folder: Path, attempt: str) -> RewardProgram:
        if (folder / "program.json").exists():
            return runs.load(RewardProgram, folder / "program.json")
        self._called(folder.parent.parent, f"write {attempt}")
        runs.save(draft, folder / "draft.json")
        runs.save(target, folder / "target.json")
        runs.write_atomic(folder / "reward.py", "# a reward\n")
        refused = draft.rationale.startswith("refuse")
        program = RewardProgram(
            id=attempt, path="reward.py", sha256="0", terms={"a": 1.0}, serves={"a": "x"}, author=draft.author,
            rationale=draft.rationale, parent=draft.parent, status="rejected" if refused else "ok",
            reason="the guard refuses it." if refused else "",
        )  # fmt: skip
        runs.save(program, folder / "program.json")
        return program

    def train(
        self, specs: Sequence[TrainingSpec], folders: Sequence[Path], parallel: int,
        on_row: Callable[[str, dict[str, object]], None], on_done: Callable[[TrainingRun], None],
        should_stop: Callable[[], str],
    ) -> None:  # fmt: skip
        for spec, folder in zip(specs, folders, strict=True):
            if reason := should_stop():
                on_done(TrainingRun(attempt=spec.attempt, status="killed", reason=reason))
                continue
            if not (folder / "result.json").exists():
                self._called(folder.parent.parent, f"train {spec.attempt}")
                (folder / "policy.pt").write_bytes(b"weights")
                on_row(spec.attempt, {"env_steps": 10})
                run = TrainingRun(
                    attempt=spec.attempt, status="ok", env_steps=spec.max_env_steps, wall_s=1.0, checkpoint="policy.pt"
                )
                runs.save(run, folder / "result.json")
            self._perhaps_hang("train", folder.parent.parent)
            on_done(runs.load(TrainingRun, folder / "result.json"))

    def judge(
        self, folder: Path, target: MotionTarget, gait: GaitDescriptor | None, run: Path, seed: int, video: bool
    ) -> Critique:
        self._called(run, f"judge {folder.name} {seed}")
        self._perhaps_hang("judge", run)
        name = runs.load(RewardProgram, folder / "program.json").id
        verdict = critique(name, self.gsi(name, seed), passed=self.passes(name, seed), seed=seed)
        runs.save(verdict, folder / "critique.json")
        return verdict

    def clip_sheet(self, run: Path) -> Path | None:
        return self._sheet(run)

    def contact_sheet(self, folder: Path, run: Path) -> Path:
        return self._sheet(folder)

    def _sheet(self, folder: Path) -> Path:
        import cv2
        import numpy as np

        cv2.imwrite(str(folder / "sheet.jpg"), np.zeros((4, 4, 3), np.uint8))
        return folder / "sheet.jpg"

    def try_policy(self, folder: Path, target: MotionTarget) -> Critique:
        return critique(folder.name, 0.7, passed=self.helps)

    def report(self, run: Path) -> Path:
        self._called(run, "report")
        (run / "report.html").write_text("<html></html>")
        return run / "report.html"

    def _called(self, run: Path, what: str) -> None:
        with (run / "calls.log").open("a") as file:
            file.write(what + "\n")

    def _perhaps_hang(self, where: str, run: Path) -> None:
        if self.hang_in == where:
            (run / "hanging").touch()
            deadline = time.monotonic() + 60.0
            while not (run / "go on").exists() and time.monotonic() < deadline:
                time.sleep(0.02)


class FakeAuthor:
    """Proposes what it is told to, and notes the briefs it was given."""

    name = "fake"

    def __init__(self, rationales: Sequence[str] = ("one", "two")) -> None:
        self.rationales = rationales
        self.briefs: list[AuthorBrief] = []

    def propose(self, brief: AuthorBrief, num_candidates: int, seed: int) -> list[RewardDraft]:
        self.briefs.append(brief)
        term = RewardTerm(name="a", weight=1.0, serves="x", doc="d", body="return s.base_height_m")
        parent = brief.parents[0].attempt.id if brief.parents else None
        return [
            RewardDraft(terms=(term,), rationale=text, author=self.name, parent=parent, warm_start=parent)
            for text in self.rationales[:num_candidates]
        ]


def request(out: Path, **fields: object) -> RunRequest:
    clip = out.parent / "clip.mp4"
    clip.touch()
    return RunRequest(**{"clip": clip, "out": out, "robot": "go1", "minutes": 10.0, "laps": 3, **fields})


if __name__ == "__main__":
    from video2reward.agent.session import resume, start

    if sys.argv[1] == "--run":
        resume(Path(sys.argv[2]), tools=FakeTools(hang_in="train"), author=FakeAuthor())
        sys.exit()
    hanging = FakeTools(gsi=lambda attempt, seed: 0.6, hang_in=sys.argv[2])
    start(request(Path(sys.argv[1]), laps=1), tools=hanging, author=FakeAuthor())
