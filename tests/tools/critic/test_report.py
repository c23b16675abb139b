"""The report: of a whole run, of every broken one, and of one that wants to break out of its page."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from video2reward.memory import runs
from video2reward.memory.records import (
    Attempt,
    Clip,
    ClipDescription,
    Critique,
    Decision,
    Finding,
    GaitDescriptor,
    QualityReport,
    RewardProgram,
    RunRequest,
    RunResult,
    TrainingRun,
    TrainingSpec,
)
from video2reward.tools.critic.report import MAX_VIDEO_BYTES, write_report
from video2reward.tools.critic.story import read_story
from video2reward.tools.render_and_critique import judge_rollout

EVIL = "<script>alert('x')</script><img src=x onerror=alert(1)>\"'{{7*7}}"
FEET = ("FL", "FR", "RL", "RR")
VOID = {"meta", "br", "img", "input", "link", "hr"}


class Page(HTMLParser):
    """Reads a page strictly: tags must close in order; keeps what a browser would fetch or run."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.fetched: list[str] = []
        self.scripts = 0
        self.handlers: list[str] = []
        self.words: list[str] = []
        self.feed(html)
        self.close()
        assert not self.open, self.open

    def handle_starttag(self, tag, attrs):
        self.scripts += tag == "script"
        self.handlers += [name for name, _ in attrs if name.startswith("on")]
        self.fetched += [value for name, value in attrs if name in ("src", "href", "poster") and value]
        if tag not in VOID and not (self.get_starttag_text() or "").endswith("/>"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag in VOID or (self.get_starttag_text() or "").endswith("/>") and tag not in self.open:
            return
        assert self.open and self.open[-1] == tag, (tag, self.open[-3:])
        self.open.pop()

    def handle_data(self, data):
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def short(motion):
    return replace(motion, num_envs=4, seconds=4.0)


def page_of(run: Path) -> Page:
    return Page(write_report(run).read_text(encoding="utf-8"))


@pytest.fixture
def run(tmp_path: Path, scripted) -> Path:
    """Make a run of two laps: one rejected, one whose gates failed, one that diverged, one that passed."""
    folder, target = tmp_path / "run", scripted.target("go1")
    clip = Clip(
        path=Path("clips") / "dog & friend.mp4",
        sha256="ab" * 32,
        fps=30.0,
        duration_s=4.0,
        width_px=640,
        height_px=360,
        num_frames=120,
    )
    gait = GaitDescriptor(
        subject="quadruped",
        gait="trot",
        stride_frequency_hz=1.8,
        duty_factor=dict(zip(FEET, target.duty_factor, strict=True)),
        phase_offsets=dict(zip(FEET, target.phase_offsets, strict=True)),
        speed_leg_lengths_s=4.2,
        froude=0.9,
        leg_length_m_assumed=0.5,
        leg_length_px=90.0,
        stride_frequency_dimensionless=0.4,
        confidence={"stride_frequency": 0.97},
        notes=("a leg length of 0.5 m was assumed",),
    )
    quality = QualityReport(verdict="warn", reasons=("the view is oblique.",), view="oblique", num_strides=7.0)
    description = ClipDescription(
        clip=clip, subject="quadruped", pose_backend="points.csv", frames_used=120, quality=quality, gait=gait
    )
    runs.save(RunRequest(clip=clip.path, out=folder), folder / "request.json")
    runs.save(description, folder / "description.json")
    runs.save(target, folder / "target.json")

    def attempt(name: str, training: str = "ok", motion=None, **program) -> None:
        here = folder / "attempts" / name
        here.mkdir(parents=True)
        (here / "reward.py").write_text("def footfalls(s):\n    return s.feet_contact  # <b>\n")
        made = RewardProgram(
            id=name,
            path="reward.py",
            sha256="0",
            terms={"footfalls": 2.0, "level": -5.0},
            serves={"footfalls": "phase_offsets", "level": "need: balance"},
            author="offline",
            rationale=f"the reason of {name}",
            **program,
        )
        runs.save(made, here / "program.json")
        if made.status == "rejected":
            return
        reason = "" if training == "ok" else "not finite at 12 s"
        trained = TrainingRun(attempt=name, status=training, reason=reason, env_steps=300_000)
        runs.save(TrainingSpec(attempt=name, reward="reward.py", target=target, seed=17), here / "spec.json")
        runs.save(trained, here / "training.json")
        with (here / "progress.jsonl").open("w") as file:
            for index in range(30):
                row = {"iteration": index, "env_steps": 10_000 * index, "mean_reward": 0.01 * index, "speed_m_s": 0.5}
                file.write(json.dumps({**row, "terms": {"footfalls": 0.02 * index, "level": -0.1}}) + "\n")
        critique = None
        if motion:
            critique = judge_rollout(scripted.write(motion), target, attempt=name)
            runs.save(critique, here / "critique.json")
            (folder / "attempts" / name / "rollout.npz").write_bytes((scripted.folder / "rollout.npz").read_bytes())
        record = Attempt(
            id=name,
            lap=int(name[1]),
            candidate=int(name[-1]),
            target=target,
            program=made,
            training=trained,
            critique=critique,
        )
        runs.save(record, here / "attempt.json")

    attempt("L1-C1", motion=short(scripted.bad("go1")["slow collapse"]))
    attempt("L1-C2")
    attempt("L1-C3", status="rejected", reason="standing still wins.")
    attempt("L2-C1", training="diverged")
    attempt("L2-C2", motion=short(scripted.good("go1")), edits=("height -5 -> -8: the trunk sank",), parent="L1-C1")
    decisions = [
        Decision(lap=0, action="explore", reason="Nothing like it is remembered."),
        Decision(lap=1, action="refine", reason="The trunk sinks.", parent="L1-C1"),
        Decision(lap=2, action="stop", reason="Good enough.", parent="L2-C2", ending="passed"),
    ]
    (folder / "decisions.jsonl").write_text("".join(decision.model_dump_json() + "\n" for decision in decisions))
    (folder / "best").mkdir()
    (folder / "best" / "video.mp4").write_bytes(b"\x00\x00\x00\x18ftypmp42 not a film")
    result = RunResult(
        status="passed",
        robot="go1",
        clip=str(clip.path),
        author="offline",
        laps=2,
        candidates=5,
        env_steps=900_000,
        wall_s=161.0,
        stop_reason="Good enough.",
    )
    runs.save(result, folder / "result.json")
    return folder


def test_a_whole_run_is_told_from_what_was_asked_to_why_it_stopped(run):
    page = page_of(run)
    for words in (
        "dog & friend.mp4 → go1",
        "Passed: trot at 1.50 m/s",
        "clip: warn",
        "the view is oblique.",
        "The trunk sank to",
        "standing still wins.",
        "not finite at 12 s",
        "height -5 -> -8: the trunk sank",
        "Nothing like it is remembered.",
        "Why it stopped: Good enough.",
        "need: balance",
        "return s.feet_contact # <b>",
        "trained with seed 17",
        "mujoco",
    ):
        assert words in page.text, words


def test_the_page_fetches_nothing_and_runs_nothing(run):
    page = page_of(run)
    assert page.fetched and all(address.startswith("data:") for address in page.fetched)
    assert page.scripts == 0 and not page.handlers
    html = (run / "report.html").read_text(encoding="utf-8")
    assert not re.search(r"url\(|@import|<iframe|<object|<link", html)


def test_the_best_is_open_and_failures_are_shown_too(run):
    html = (run / "report.html") if (run / "report.html").exists() else write_report(run)
    html = html.read_text(encoding="utf-8")
    for name in ("L1-C1", "L1-C2", "L1-C3", "L2-C1", "L2-C2"):
        assert f"<h3>{name}</h3>" in html
    assert html.count('<details class="attempt" open>') == 1
    outcomes = {story.id: story.outcome for story in read_story(run).attempts}
    assert outcomes == {
        "L1-C1": "gates failed",
        "L1-C2": "not judged",
        "L1-C3": "rejected",
        "L2-C1": "diverged",
        "L2-C2": "passed",
    }


def test_what_a_model_saw_is_told_under_its_name_and_stays_words(run):
    here = run / "attempts" / "L2-C2"
    critique = runs.load(Critique, here / "critique.json")
    seen = Finding(time_s=2.0, quantity="seen.x", value=1.0, sentence=f"It leans. {EVIL}", source=f"openai:eyes{EVIL}")
    seen_by = critique.model_copy(update={"findings": (*critique.findings, seen)})
    runs.save(seen_by, here / "critique.json")
    attempt = runs.load(Attempt, here / "attempt.json")
    runs.save(attempt.model_copy(update={"critique": seen_by}), here / "attempt.json")
    page = page_of(run)
    assert page.scripts == 0 and not page.handlers
    assert "It leans." in page.text and "seen by openai:eyes" in page.text


def test_foreign_words_stay_words(run):
    here = run / "attempts" / "L2-C2"
    program = runs.load(RewardProgram, here / "program.json")
    evil = program.model_copy(
        update={"rationale": EVIL, "author": EVIL, "terms": {EVIL: 1.0}, "serves": {EVIL: EVIL}, "edits": (EVIL,)}
    )
    runs.save(evil, here / "program.json")
    (here / "reward.py").write_text(f"# </code></pre>{EVIL}\n")
    rows = [{"env_steps": 1000 * index, "mean_reward": index, "terms": {EVIL: index}} for index in range(5)]
    (here / "progress.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    description = runs.load(ClipDescription, run / "description.json")
    named = description.clip.model_copy(update={"path": Path(EVIL.replace("/", "_") + ".mp4")})
    quality = description.quality.model_copy(update={"reasons": (EVIL,)})
    runs.save(
        description.model_copy(update={"clip": named, "quality": quality, "pose_backend": EVIL}),
        run / "description.json",
    )
    (run / "decisions.jsonl").write_text(Decision(lap=1, action="stop", reason=EVIL).model_dump_json() + "\n")
    page = page_of(run)
    assert page.scripts == 0 and not page.handlers
    assert all(address.startswith("data:") for address in page.fetched)
    assert "alert('x')" in page.text and "{{7*7}}" in page.text


@pytest.mark.parametrize(
    "gone",
    [
        ("result.json",),
        ("result.json", "decisions.jsonl", "best"),
        ("result.json", "attempts", "best"),
        ("description.json", "request.json"),
        ("target.json",),
        ("target.json", "attempts", "description.json", "request.json", "result.json", "decisions.jsonl", "best"),
    ],
)
def test_a_half_finished_run_has_a_report_too(run, gone):
    import shutil

    for name in gone:
        path = run / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    page = page_of(run)
    assert "None" not in page.text.split("reward.py")[0].replace("None yet", "").replace("None of", "")
    if "result.json" in gone:
        assert "Unfinished" in page.text


@pytest.mark.parametrize("rotten", ["", "{", "null", '{"schema_version": 1}', "\x00\xff" * 40])
def test_damaged_files_are_named_and_take_nothing_with_them(run, rotten):
    for path in sorted(run.rglob("*.json")) + sorted(run.rglob("*.jsonl")):
        if "L2-C2" not in path.parts:
            path.write_text(rotten, encoding="latin-1")
    (run / "attempts" / "L2-C2" / "rollout.npz").write_bytes(b"PK\x03\x04 not a rollout")
    page = page_of(run)
    assert "Files that could not be read" in page.text
    assert "Passed: trot at 1.50 m/s" in page.text


def test_a_damaged_progress_is_read_as_far_as_it_goes(run):
    path = run / "attempts" / "L2-C2" / "progress.jsonl"
    lines = path.read_text().splitlines()
    odd = ['{"env_steps": "many"}', "[1, 2]", '{"env_steps": 5, "terms": [1]}', '{"env_steps": 290000, "mean_rew']
    odd += ["[" * 100_000, '{"env_steps": 1' + "0" * 400 + "}", '{"env_steps": NaN}']
    path.write_text("\n".join([*lines[:10], *odd]))
    story = next(story for story in read_story(run).attempts if story.id == "L2-C2")
    assert story.progress and len(story.progress.env_steps) == 11
    page_of(run)


def test_a_large_video_is_linked_and_not_swallowed(run):
    with (run / "best" / "video.mp4").open("wb") as file:
        file.truncate(MAX_VIDEO_BYTES + 1)
    assert "best/video.mp4" in page_of(run).fetched
    assert (run / "report.html").stat().st_size < 2 << 20


def test_laps_come_in_order_of_their_numbers(tmp_path):
    for name in ("L10-C1", "L2-C1", "L1-C2", "L1-C1"):
        (tmp_path / "attempts" / name).mkdir(parents=True)
    assert [story.id for story in read_story(tmp_path).attempts] == ["L1-C1", "L1-C2", "L2-C1", "L10-C1"]


def test_writing_again_changes_only_the_time(run):
    def text() -> str:
        return re.sub(r"Report written [^.]*", "", write_report(run).read_text(encoding="utf-8"))

    assert text() == text()


def test_the_verdict_on_fresh_seeds_counts_over_the_lap_s(run, scripted):
    fresh = judge_rollout(
        scripted.write(replace(short(scripted.bad("go1")["stand still"]), seed=99)),
        scripted.target("go1"),
        attempt="L2-C2",
    )
    runs.save(fresh, run / "best" / "critique.json")
    page = page_of(run)
    assert "Not passed: " in page.text and "The verdict is of seed 99" in page.text
