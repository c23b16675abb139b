"""`video2reward bench`: print the figures this project claims, measured on this machine, now.

    speed    raw MuJoCo stepping against our whole learning loop, rsl-rl's own runner and stable-baselines3's PPO
    race     seconds of training until a policy passes the gates, ours against those two, three seeds
    runs     clips from the command to the verdict: status, first pass, wall time, similarity, peak memory

Clips that may not be shipped are taken from the folder that V2R_CLIPS names and are left out, aloud, without it.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import json
import platform
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from importlib import metadata
from pathlib import Path

from video2reward.evals.race import SB3_MISSING, Lap, has_sb3, race, runner_steps_per_s, sb3_steps_per_s
from video2reward.memory.records import Record, RunResult

ROOT = Path(__file__).resolve().parent.parent


class Trial(Record):
    """One clip, end to end."""

    name: str
    status: str
    gait_wanted: str
    gait: str | None
    gsi: float | None
    first_pass_s: float | None
    wall_s: float
    peak_memory_mb: float


def main(argv: list[str] | None = None) -> int:
    """Run the parts asked for and print one table each; exit 0 when every run passed."""
    parser = argparse.ArgumentParser(prog="video2reward bench", description=__doc__)
    parser.add_argument("--only", choices=("speed", "race", "runs"), default=None)
    parser.add_argument("--clips", nargs="*", default=None, help="names of the runs to do; all by default")
    parser.add_argument("--json", type=Path, default=None, help="write the figures here as well")
    parser.add_argument("--markdown", type=Path, default=None, help="write them here as tables")
    arguments = parser.parse_args(argv)
    print(machine(), flush=True)
    rates = speed() if arguments.only in (None, "speed") else []
    laps = race() if arguments.only in (None, "race") else []
    trials = end_to_end(arguments.clips) if arguments.only in (None, "runs") else []
    if arguments.json:
        figures = {
            "machine": machine(),
            "speed": rates,
            "race": [lap.model_dump() for lap in laps],
            "runs": [trial.model_dump() for trial in trials],
        }
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n")
    if arguments.markdown:
        arguments.markdown.write_text(as_markdown(rates, laps, trials), encoding="utf-8")
    return 0 if all(trial.status == "passed" for trial in trials) else 3


def machine() -> str:
    """Name the machine and the versions that the figures hang on."""
    names = ["mujoco", "torch", "rsl-rl-lib"] + (["stable-baselines3"] if has_sb3() else [])
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in names)
    return f"{platform.platform()}, {os.cpu_count()} cores, Python {platform.python_version()}, {versions}"


def as_markdown(rates: list[dict[str, object]], laps: list[Lap], trials: list[Trial]) -> str:
    """Return the figures as a page: what was printed, where and when."""
    lines = [
        "# Figures",
        "",
        f"Printed by `video2reward bench --markdown FIGURES.md` on {time.strftime('%Y-%m-%d')}: {machine()}.",
    ]
    if rates:
        lines += [
            "",
            "Environment steps a second, medians of three: MuJoCo alone against the whole learning loop, ours, that of "
            "rsl-rl's own runner and that of stable-baselines3's PPO.",
            "",
            "| robot | environments | threads | MuJoCo alone | whole loop | share | rsl-rl's runner "
            "| stable-baselines3 |",
            "|---|---|---|---|---|---|---|---|",
            *(
                f"| {row['robot']} | {row['num_envs']} | {row['threads']} | {row['raw']:,.0f} | {row['loop']:,.0f} "
                f"| {row['loop'] / row['raw']:.2f} | {row['runner']:,.0f} "
                f"| {SB3_MISSING if row['sb3'] is None else format(row['sb3'], ',.0f')} |"
                for row in rates
            ),
        ]
    if laps:
        lines += [
            "",
            "Seconds of training until a checkpoint passes the gates (Go1, trot).",
            "",
            "| learner | seed | environment steps a second | first pass | after steps |",
            "|---|---|---|---|---|",
            *(
                f"| {lap.learner} | {lap.seed} | {lap.env_steps_per_s:,.0f} "
                f"| {'never' if lap.first_pass_s is None else f'{lap.first_pass_s:.1f} s'} "
                f"| {lap.first_pass_steps or 0:,} |"
                for lap in laps
            ),
            *([] if any(lap.learner == "sb3" for lap in laps) else [f"| sb3 | - | {SB3_MISSING} | - | - |"]),
        ]
    if trials:
        lines += [
            "",
            "From the command to the verdict, offline author, each with an empty memory. *First pass* is when a "
            "candidate first passed the gates.",
            "",
            "| run | status | wanted | the robot's gait | GSI | first pass | whole run | peak memory |",
            "|---|---|---|---|---|---|---|---|",
            *(
                f"| {trial.name} | {trial.status} | {trial.gait_wanted} | {trial.gait or '-'} | {trial.gsi or 0.0:.2f} "
                f"| {'never' if trial.first_pass_s is None else f'{trial.first_pass_s:.0f} s'} | {trial.wall_s:.0f} s "
                f"| {trial.peak_memory_mb:.0f} MB |"
                for trial in trials
            ),
        ]
    return "\n".join(lines) + "\n"


def speed(repeats: int = 3) -> list[dict[str, object]]:
    """Compare raw stepping with the whole loop, side by side, for each robot; env-steps/s, medians."""
    from video2reward.sim.config import ROBOTS

    rows = []
    print(f"\n{'robot':8}{'envs':>6}{'threads':>9}{'raw':>12}{'whole loop':>12}{'share':>8}{'rsl-rl':>12}"
          f"{'sb3':>12}   env-steps/s")  # fmt: skip
    for robot in ROBOTS.values():
        for num_envs, num_threads in ((128, 1), (128, 2), (256, 2)):
            raw = statistics.median(_raw_steps_per_s(robot, num_envs, num_threads) for _ in range(repeats))
            loop = statistics.median(_loop_steps_per_s(robot, num_envs, num_threads) for _ in range(repeats))
            runner = statistics.median(runner_steps_per_s(robot, num_envs, num_threads) for _ in range(repeats))
            sb3 = None
            if has_sb3():
                sb3 = statistics.median(sb3_steps_per_s(robot, num_envs, num_threads) for _ in range(repeats))
            rows.append({"robot": robot.name, "num_envs": num_envs, "threads": num_threads, "raw": raw, "loop": loop,
                         "runner": runner, "sb3": sb3})  # fmt: skip
            print(
                f"{robot.name:8}{num_envs:6}{num_threads:9}{raw:12,.0f}{loop:12,.0f}{loop / raw:8.2f}{runner:12,.0f}"
                f"{'-' if sb3 is None else format(sb3, ',.0f'):>12}",
                flush=True,
            )
    if not has_sb3():
        print(f"sb3: {SB3_MISSING}")
    return rows


def end_to_end(names: list[str] | None) -> list[Trial]:
    """Run the command on each clip in a process of its own and read what it left."""
    trials = []
    print(f"\n{'run':26}{'status':>9}{'wanted':>8}{'gait':>8}{'GSI':>7}{'first pass':>12}{'wall':>8}{'memory':>10}")
    with tempfile.TemporaryDirectory() as scratch:
        for name, wanted, options in _cases(Path(scratch)):
            if names and name not in names:
                continue
            trial = _run(name, wanted, options, Path(scratch) / f"run-{name}")
            trials.append(trial)
            first = "never" if trial.first_pass_s is None else f"{trial.first_pass_s:.0f} s"
            print(
                f"{name:26}{trial.status:>9}{wanted:>8}{trial.gait or '-':>8}{trial.gsi or 0.0:7.2f}"
                f"{first:>12}{trial.wall_s:6.0f} s{trial.peak_memory_mb:7.0f} MB",
                flush=True,
            )
    return trials


def _cases(scratch: Path) -> list[tuple[str, str, list[str]]]:
    """Return (name, wanted gait, options of `run`)."""
    example = ROOT / "examples" / "dog_trot.mp4"
    cases = [("example-go1", "trot", [str(example), "--robot", "go1"])]
    clips = os.environ.get("V2R_CLIPS")
    if not clips:
        print("V2R_CLIPS is not set: the clips that may not be shipped are left out")
        return cases
    from video2reward.evals.mocap import mocap_keypoints

    for dog, wanted in (("dog_trot_walk04_pan", "trot"), ("dog_pace_walk00_pan", "pace")):
        clip = Path(clips) / "dogs_mocap" / f"{dog}.mp4"
        truth = mocap_keypoints(clip.with_name(f"{dog}_gt.npz"), scratch / f"{dog}.csv")
        cases.append((dog, wanted, [str(clip), "--keypoints", str(truth), "--robot", "go1"]))
    woman = Path(clips) / "people" / "sports2d_walk_woman_crop.mp4"
    cases.append(("walking-woman-g1", "walk", [str(woman), "--robot", "g1"]))
    return cases


def _run(name: str, wanted: str, options: list[str], out: Path) -> Trial:
    # A memory of its own: what an earlier run learned must not flatter this one.
    env = {**os.environ, "V2R_HOME": str(out.with_name(f"{out.name}-home"))}
    command = [sys.executable, "-m", "video2reward.agent.cli", "run", *options, "--out", str(out)]
    begun = time.perf_counter()
    with (out.with_name(f"{out.name}.log")).open("wb") as log:
        process = subprocess.Popen(command, env=env, stdout=log, stderr=subprocess.STDOUT)
        peak = _watch_memory(process)
        process.wait()
    wall_s = time.perf_counter() - begun
    path = out / "result.json"
    if not path.exists():
        print(out.with_name(f"{out.name}.log").read_text(errors="replace")[-2000:], file=sys.stderr)
        return Trial(name=name, status="crashed", gait_wanted=wanted, gait=None, gsi=None, first_pass_s=None,
                     wall_s=wall_s, peak_memory_mb=peak[0])  # fmt: skip
    result = RunResult.model_validate_json(path.read_text())
    best = result.best
    return Trial(name=name, status=result.status, gait_wanted=wanted, gait=best.gait if best else None,
                 gsi=best.gsi if best else None, first_pass_s=result.first_pass_s, wall_s=wall_s,
                 peak_memory_mb=peak[0])  # fmt: skip


def _watch_memory(process: subprocess.Popen) -> list[float]:
    """Follow the proportional memory of a process and all it starts; the list's one number is the peak, MB."""
    import psutil

    peak = [0.0]

    def total() -> float:
        amount = 0
        root = psutil.Process(process.pid)
        for part in [root, *root.children(recursive=True)]:
            try:
                memory = part.memory_full_info()
                amount += getattr(memory, "pss", 0) or memory.rss
            except psutil.Error:
                continue
        return amount / 1e6

    def follow() -> None:
        while process.poll() is None:
            try:
                peak[0] = max(peak[0], total())
            except psutil.Error:
                return
            time.sleep(0.5)

    threading.Thread(target=follow, daemon=True).start()
    return peak


def _raw_steps_per_s(robot, num_envs: int, num_threads: int, num_steps: int = 60) -> float:
    """Step the physics alone, with the commands of a standing robot that is nudged."""
    import torch
    from video2reward.sim.backends.mujoco_cpu import MujocoBackend
    from video2reward.sim.robots.model import load_model

    torch.set_num_threads(1)
    backend = MujocoBackend(load_model(robot, timestep_s=0.01), num_envs, num_threads)
    generator = torch.Generator().manual_seed(0)
    home = torch.tensor(robot.default_joint_pos).repeat(num_envs, 1)
    ctrls = [home + 0.1 * torch.randn(home.shape, generator=generator) for _ in range(num_steps)]
    backend.step(home, 2)
    begun = time.perf_counter()
    for ctrl in ctrls:
        backend.step(ctrl, 2)
    return num_envs * num_steps / (time.perf_counter() - begun)


def _loop_steps_per_s(robot, num_envs: int, num_threads: int, num_iterations: int = 10) -> float:
    """Train the offline author's reward for a few iterations in this process."""
    from video2reward.agent.authors import AuthorBrief
    from video2reward.agent.offline import OfflineAuthor
    from video2reward.memory.records import MotionTarget, TrainingSpec
    from video2reward.sim.train import train
    from video2reward.tools.write_reward import compose

    phases = (0.0, 0.5, 0.5, 0.0) if robot.kind == "quadruped" else (0.0, 0.5)
    target = MotionTarget(robot=robot.name, feet=robot.feet, gait="trot" if robot.kind == "quadruped" else "walk",
                          speed_m_s=0.8, stride_frequency_hz=1.5, duty_factor=tuple(0.5 for _ in phases),
                          phase_offsets=phases, leg_length_m=robot.leg_length_m, froude=0.1)  # fmt: skip
    draft = OfflineAuthor().propose(AuthorBrief(target=target, lap=1), 1, 0)[0]
    rows: list[dict] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "reward.py").write_text(compose(draft, target))
        spec = TrainingSpec(attempt="bench", reward="reward.py", target=target, num_envs=num_envs,
                            num_threads=num_threads, max_env_steps=2 * num_envs * 24 * num_iterations)  # fmt: skip
        train(spec, folder, rows.append)
    # The second half is the polish, on a finer physics step than the raw stepping it is compared with.
    return statistics.median(row["env_steps_per_s"] for row in rows[:num_iterations])


if __name__ == "__main__":
    sys.exit(main())
