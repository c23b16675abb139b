"""The tools as the loop calls them. The loop knows only this protocol; tests put small real tools behind it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from video2reward.memory.errors import V2RError
from video2reward.memory.records import (
    ClipDescription,
    Critique,
    GaitDescriptor,
    MotionTarget,
    RewardDraft,
    RewardProgram,
    RunRequest,
    TrainingRun,
    TrainingSpec,
)
from video2reward.sim.config import robot_config

SHEET = "sheet.jpg"
"""The contact sheet of clip and robot, in an attempt's folder; in a run's, the clip alone."""

_TRIAL_SEED = 3000

ShareDone = Callable[[float], None]
TrainingRow = Callable[[str, dict[str, object]], None]


class Toolbox(Protocol):
    """What the nodes may do to the world."""

    def get_ready(self) -> None:
        """Start what tries rewards, without waiting for it: one will be written soon."""
        ...

    def describe(self, request: RunRequest, run: Path, progress: ShareDone) -> ClipDescription:
        """Follow the subject of the clip and measure its gait; write what was found into the run folder."""
        ...

    def retarget(self, gait: GaitDescriptor, robot: str) -> MotionTarget: ...

    def write_reward(self, draft: RewardDraft, target: MotionTarget, folder: Path, attempt: str) -> RewardProgram: ...

    def train(
        self, specs: Sequence[TrainingSpec], folders: Sequence[Path], parallel: int, on_row: TrainingRow,
        on_done: Callable[[TrainingRun], None], should_stop: Callable[[], str],
    ) -> None:  # fmt: skip
        """Train each spec in its folder; hand over each run as soon as it is there, and end when asked to."""
        ...

    def judge(
        self, folder: Path, target: MotionTarget, gait: GaitDescriptor | None, run: Path, seed: int, video: bool
    ) -> Critique:
        """Roll the frozen policy out on a seed it has not seen, measure, and write critique.json."""
        ...

    def try_policy(self, folder: Path, target: MotionTarget) -> Critique:
        """Roll a policy that was trained for something else out on a target, briefly; `folder` is left as it is."""
        ...

    def clip_sheet(self, run: Path) -> Path | None:
        """Return the picture of the clip at some moments of a stride; None where it cannot be made."""
        ...

    def contact_sheet(self, folder: Path, run: Path) -> Path:
        """Return the picture of clip and robot at the same phases. Raises V2RError where it cannot be made."""
        ...

    def report(self, run: Path) -> Path: ...


class Tools:
    """The real tools, each imported when it is first used."""

    def get_ready(self) -> None:
        from video2reward.tools.trials import prepare

        prepare()

    def describe(self, request: RunRequest, run: Path, progress: ShareDone) -> ClipDescription:
        from video2reward.tools.describe import describe_clip

        _, description = describe_clip(
            request.clip,
            run,
            keypoints=request.keypoints,
            slow_motion_factor=request.slow_motion_factor,
            subject=request.subject,
            progress=progress,
        )
        return description

    def retarget(self, gait: GaitDescriptor, robot: str) -> MotionTarget:
        from video2reward.tools.feasibility import within_means
        from video2reward.tools.retarget import retarget

        config = robot_config(robot)
        return within_means(retarget(gait, config), config)

    def write_reward(self, draft: RewardDraft, target: MotionTarget, folder: Path, attempt: str) -> RewardProgram:
        from video2reward.tools.write_reward import write_reward

        return write_reward(draft, target, folder, attempt=attempt)

    def train(
        self, specs: Sequence[TrainingSpec], folders: Sequence[Path], parallel: int, on_row: TrainingRow,
        on_done: Callable[[TrainingRun], None], should_stop: Callable[[], str],
    ) -> None:  # fmt: skip
        from video2reward.tools.train_policy import submit, train_policies

        paths = [submit(spec, folder) for spec, folder in zip(specs, folders, strict=True)]
        train_policies(paths, parallel=parallel, on_progress=on_row, on_done=on_done, should_stop=should_stop)

    def judge(
        self, folder: Path, target: MotionTarget, gait: GaitDescriptor | None, run: Path, seed: int, video: bool
    ) -> Critique:
        from video2reward.tools.render_and_critique import PUSH_M_S, render_and_critique

        track_dir = run if (run / "track.json").exists() else None
        # What is shown is also pushed: the last verdict of a run, not every candidate's.
        push_m_s = PUSH_M_S if video else 0.0
        return render_and_critique(
            folder, target, gait=gait, seed=seed, track_dir=track_dir, video=video, push_m_s=push_m_s
        )

    def try_policy(self, folder: Path, target: MotionTarget) -> Critique:
        import shutil
        import tempfile

        from video2reward.tools.render_and_critique import render_and_critique

        with tempfile.TemporaryDirectory() as name:
            shutil.copyfile(folder / "policy.pt", Path(name) / "policy.pt")
            return render_and_critique(
                Path(name), target, seed=_TRIAL_SEED, num_envs=16, seconds=4.0, attempt=folder.name
            )

    def clip_sheet(self, run: Path) -> Path | None:
        from video2reward.tools.critic.sheet import make_clip_sheet

        try:
            return make_clip_sheet(run, run / SHEET)
        except (V2RError, OSError, ValueError):
            return None

    def contact_sheet(self, folder: Path, run: Path) -> Path:
        from video2reward.tools.critic.filming import make_sheet

        return make_sheet(folder, run, folder / SHEET)

    def report(self, run: Path) -> Path:
        from video2reward.tools.critic.report import write_report

        return write_report(run)
