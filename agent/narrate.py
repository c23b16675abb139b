"""A run told in sentences, from its folder alone: how it stands, why it stopped, what each try was and came to."""

from __future__ import annotations

import json
from pathlib import Path

from video2reward.agent.budget import spending_of
from video2reward.agent.folder import RunFolder
from video2reward.agent.lease import holder
from video2reward.agent.screen import line_of
from video2reward.agent.steering import asked
from video2reward.memory import runs
from video2reward.memory.errors import BadInput
from video2reward.memory.records import Attempt, Decision, RunRequest, RunResult

_LAST_LINES = 4


def is_alive(run: Path) -> bool:
    """Tell whether a process works on a run: it holds the run's lease."""
    return holder(run) is not None


def runs_under(root: Path) -> list[Path]:
    """Return the run folders under a folder, those of a night too, the latest first."""
    found = [path.parent for pattern in ("*/request.json", "*/*/request.json") for path in root.glob(pattern)]
    return sorted(found, key=lambda run: (run / "request.json").stat().st_mtime, reverse=True)


def result_of(run: Path) -> RunResult | None:
    path = run / "result.json"
    return runs.load(RunResult, path) if path.exists() else None


def status(run: Path) -> str:
    """Say how a run stands: finished and how, or at work and on what."""
    result = result_of(run)
    if result and not is_alive(run):
        return f"{run.name}: {result.status}. {result.stop_reason}{_best(result)}\n{_used(run)}"
    lines = [f"{run.name}: {'at work' if is_alive(run) else 'not at work, and not finished (say `go on`)'}."]
    lines += told(run)[-_LAST_LINES:]
    if now := _training_now(run):
        lines.append(now)
    lines.append(_used(run))
    if waiting := [wish.said for wish in asked(run)]:
        lines.append(f"asked of it: {'; '.join(waiting)}")
    return "\n".join(lines)


def told(run: Path, after: int = 0) -> list[str]:
    """Return the lines that a run's events are worth, from the event number `after` on."""
    return [line for event in events(run)[after:] if (line := line_of(event["kind"], event))]


def events(run: Path) -> list[dict]:
    """Return the events so far; a line that is still being written is left out."""
    try:
        lines = (run / "events.jsonl").read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return []
    found = []
    for line in lines:
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if isinstance(event, dict) and "kind" in event:
            found.append(event)
    return found


def why(run: Path, name: str | None = None) -> str:
    """Say why a run stopped, or why one attempt came to what it came to, with the numbers it stands on."""
    if name:
        return about(run, name)
    decisions = decisions_of(run)
    if not decisions:
        return f"{run.name} has decided nothing yet."
    last = decisions[-1]
    lines = []
    if last.action != "stop":
        lines.append("It has not stopped." if is_alive(run) else "It was interrupted before it stopped by itself.")
    lines.append(f"After lap {last.lap} it decided to {last.action.replace('_', ' ')}: {last.reason}")
    if last.numbers:
        lines.append("It stands on: " + ", ".join(f"{key} {value:g}" for key, value in last.numbers.items()))
    if last.steering:
        lines.append(f"It was asked: {'; '.join(last.steering)}")
    if len(decisions) > 1:
        lines.append("Before: " + " | ".join(f"lap {d.lap} {d.action}: {d.reason}" for d in decisions[:-1]))
    if (result := result_of(run)) and result.notes:
        lines += list(result.notes)
    return "\n".join(lines)


def decisions_of(run: Path) -> list[Decision]:
    path = run / "decisions.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return [Decision.model_validate_json(line) for line in lines]


def find_attempt(run: Path, which: int | str) -> Attempt:
    """Return an attempt by its number from 1, its name, `best` or `last`. Raises BadInput with what there is."""
    attempts = RunFolder(run).attempts()
    if which == "best" and attempts:
        return max(attempts, key=lambda attempt: attempt.rank)
    if which == "last" and attempts:
        return attempts[-1]
    if isinstance(which, int) and 1 <= which <= len(attempts):
        return attempts[which - 1]
    found = next((attempt for attempt in attempts if attempt.id == which), None)
    if found is None:
        there = ", ".join(attempt.id for attempt in attempts) or "none yet"
        what = f"try number {which}" if isinstance(which, int) else f"try {which}"
        raise BadInput(f"{run.name} has no {what}.", f"Its tries: {there}.")
    return found


def about(run: Path, which: int | str) -> str:
    """Tell one attempt: why it was written, what came of it, and where its files lie."""
    attempt = find_attempt(run, which)
    folder = run / "attempts" / attempt.id
    lines = [f"{attempt.id} by {attempt.program.author}: {attempt.program.rationale}"]
    lines += [f"  change: {edit}" for edit in attempt.program.edits]
    if attempt.program.status == "rejected":
        return "\n".join([*lines, f"It was refused and never trained: {attempt.program.reason}"])
    lines.append("terms: " + ", ".join(f"{name} {weight:g}" for name, weight in attempt.program.terms.items()))
    if training := attempt.training:
        lines.append(f"trained {training.env_steps:,} steps in {training.wall_s:.0f} s{training.ending}")
    if critique := attempt.critique:
        lines.append(critique.verdict)
        lines += [f"  gate {gate.name} FAILED: {gate.sentence}" for gate in critique.gates if not gate.passed]
        lines += [f"  seen: {finding.sentence}" for finding in critique.findings[:4]]
    else:
        lines.append("It was not judged.")
    lines += [str(folder / name) for name in ("reward.py", "sheet.jpg", "video.mp4") if (folder / name).exists()]
    best = run / "best"
    result = result_of(run)
    if result and result.best and result.best.attempt == attempt.id and (best / "video.mp4").exists():
        lines.append(str(best / "video.mp4"))
    if (run / "report.html").exists():
        lines.append(f"the whole story: {run / 'report.html'}")
    return "\n".join(lines)


def compare(run: Path, first: int | str, second: int | str) -> str:
    """Say how two attempts differ: their terms, their gates and their errors."""
    a, b = find_attempt(run, first), find_attempt(run, second)
    lines = [f"{'':<22}{a.id:>10}{b.id:>10}"]
    terms = list(dict.fromkeys([*a.program.terms, *b.program.terms]))
    for name in terms:
        old, new = a.program.terms.get(name), b.program.terms.get(name)
        if old != new:
            lines.append(f"weight {name:<15}{_number(old):>10}{_number(new):>10}")
    if a.critique and b.critique:
        for part in ("gsi_ungated", "E_f", "E_beta", "E_phi", "E_Fr"):
            left, right = getattr(a.critique.similarity, part), getattr(b.critique.similarity, part)
            lines.append(f"{part:<22}{left:>10.3f}{right:>10.3f}")
        for left, right in zip(a.critique.gates, b.critique.gates, strict=False):
            words = ["pass" if gate.passed else "FAIL" for gate in (left, right)]
            lines.append(f"gate {left.name:<17}{words[0]:>10}{words[1]:>10}")
    better = a if a.rank > b.rank else b
    lines.append("Neither was judged." if not (a.critique or b.critique) else f"{better.id} is the better one.")
    return "\n".join(lines)


def request_of(run: Path) -> RunRequest:
    return runs.load(RunRequest, run / "request.json")


def _training_now(run: Path) -> str:
    """Say how far the trainings are that go on."""
    said = []
    for folder in sorted((run / "attempts").glob("*")):
        spec, progress = folder / "spec.json", folder / "progress.jsonl"
        if (folder / "result.json").exists() or not (spec.exists() and progress.exists()):
            continue
        try:
            row = json.loads(progress.read_text(encoding="utf-8").splitlines()[-1])
            most = json.loads(spec.read_text(encoding="utf-8"))["max_env_steps"]
            said.append(f"{folder.name} at {row['env_steps'] / most:.0%} of its steps")
        except (OSError, ValueError, LookupError, TypeError, ZeroDivisionError):
            continue
    return f"training: {', '.join(said)}" if said else ""


def _used(run: Path) -> str:
    """Say what a run has used, and of how much."""
    spent, request = spending_of(run), request_of(run)
    money = f", {spent.tokens:,} tokens for ${spent.usd:.4f}" if spent.tokens else ""
    most = f" of ${request.usd:g}" if money and request.usd is not None else ""
    return f"used: {spent.wall_s / 60:.1f} of {request.minutes:.3g} minutes, {spent.env_steps:,} steps{money}{most}"


def _best(result: RunResult) -> str:
    if not result.best:
        return ""
    best = result.best
    return f"\nbest {best.attempt}: {best.gait} at {best.speed_m_s:.2f} m/s, GSI {best.gsi:.2f}"


def _number(weight: float | None) -> str:
    return "-" if weight is None else f"{weight:g}"
