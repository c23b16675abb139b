"""What the chat can do, whoever understands the sentences: start, watch, steer, stop, explain and compare runs.

Runs live in processes of their own, in sessions of their own: the chat trains nothing, and its end or a Ctrl-C in it
ends no run. Each action returns what to say, or raises V2RError with what is wrong and how to mend it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from video2reward.agent import narrate
from video2reward.agent import steering as steer
from video2reward.agent.about import About, Remembered
from video2reward.agent.apart import Commands, last_words
from video2reward.agent.meaning import at_speed, is_nothing, meaning, not_there
from video2reward.agent.settings import Settings
from video2reward.memory.errors import BadInput, V2RError
from video2reward.memory.recall import memory_home
from video2reward.memory.records import Recollection, Steering
from video2reward.sim.config import robot_title

_MINUTES, _UNTIL, _USD = 10.0, "07:00", 5.0


class Desk:
    """Where runs are started from. `allow` is asked before anything that costs beyond the settings' limits."""

    def __init__(
        self,
        root: Path,
        allow: Callable[[str], bool],
        *,
        author: str = "offline",
        critic: str = "offline",
        unsafe: bool = False,
        settings: Settings | None = None,
        home: Path | None = None,
    ) -> None:
        self.root, self.allow, self.author, self.critic, self.unsafe = root, allow, author, critic, unsafe
        self.settings = settings or Settings()
        self.home = home or memory_home() / "chat"
        self.home.mkdir(parents=True, exist_ok=True)
        self.commands = Commands(self.home)
        self.about = About(self.home)

    @property
    def now(self) -> Remembered:
        return self.about.now

    def start(
        self,
        clip: Path | None = None,
        *,
        robot: str | None = None,
        keypoints: Path | None = None,
        minutes: float | None = None,
        usd: float | None = None,
        steering: Steering | None = None,
    ) -> str:
        """Start a run; what is not said is as it was last. Models may cost what needs no asking."""
        if clip is None and self.now.clip is None and narrate.runs_under(self.root):
            request = narrate.request_of(self._run(None))
            clip, keypoints = request.clip, keypoints or request.keypoints
        clip, keypoints = self.about.clip(clip, keypoints)
        robot, minutes = self.about.robot(robot), minutes or _MINUTES
        limit = self.settings.ask_above_minutes
        if minutes > limit and not self.allow(f"This takes up to {minutes:g} minutes, more than {limit:g}. Start it?"):
            return "Nothing was started."
        usd_limit = self.settings.ask_above_usd
        usd = usd_limit if usd is None else usd
        if usd > usd_limit and not self.allow(f"This may cost ${usd:g}, more than ${usd_limit:g}. Start it?"):
            return "Nothing was started."
        out = self._new_run(clip, robot)
        arguments = [
            "run", str(clip), "--robot", robot, "--out", str(out), "--minutes", f"{minutes:g}",
            "--author", self.author, "--critic", self.critic,
        ]  # fmt: skip
        if keypoints:
            arguments += ["--keypoints", str(keypoints)]
        if (self.author, self.critic) != ("offline", "offline"):
            arguments += ["--usd", f"{usd:g}"]
        if self.unsafe:
            arguments.append("--unsafe")
        if steering:
            arguments += ["--wish", steering.model_dump_json()]
        self.commands.begin(arguments, out)
        self.about.note(run=out, clip=clip, keypoints=keypoints, robot=robot, told=0)
        asked = f" It is told: {steering.said}." if steering else ""
        return (
            f"{out.name} is at work: {robot_title(robot)}, {clip.name}, up to {minutes:g} minutes, rewards by "
            f"{self.author}."
            f"{asked}\nIt goes on by itself in {out}."
        )

    def steer(self, steering: Steering, run: Path | None = None, *, speed_m_s: float | None = None) -> str:
        """Ask something of a run; a finished one is followed by a new one that starts with the wish.

        `speed_m_s` is a speed that was asked for as such, in place of the steering's factor.
        """
        run = self._run(run)
        if speed_m_s is not None:
            steering = at_speed(steering, run, speed_m_s)
        means = meaning(steering) + not_there(steering, run)
        if narrate.is_alive(run):
            steer.ask(run, steering)
            return f"{run.name} is told ({means}); it follows at its next lap."
        result = narrate.result_of(run)
        if result is None or result.status == "stopped":
            steer.ask(run, steering)
            return f"{run.name} is told ({means}). {self.go_on(run)}"
        if is_nothing(steering, run):
            return f"{run.name} is finished, and nothing would change{not_there(steering, run)}."
        request = narrate.request_of(run)
        said = self.start(request.clip, robot=request.robot, keypoints=request.keypoints, steering=steering)
        return f"{run.name} is finished, so a new run begins ({means}). {said}"

    def stop(self, run: Path | None = None) -> str:
        """Ask a run to stop; what it has reached is kept."""
        run = self._run(run)
        if not narrate.is_alive(run):
            return f"{run.name} is not at work. {narrate.status(run)}"
        (run / "STOP").write_text("It was asked to stop in the chat.", encoding="utf-8")
        return f"{run.name} stops as soon as it can; it judges and keeps the best it has. Say `go on` to resume it."

    def go_on(self, run: Path | None = None) -> str:
        """Resume a run that was stopped or killed."""
        run = self._run(run)
        if narrate.is_alive(run):
            (run / "STOP").unlink(missing_ok=True)
            decisions = narrate.decisions_of(run)
            if decisions and decisions[-1].action == "stop":
                return f"{run.name} is just ending. Say `go on` again in a moment."
            return f"{run.name} is at work already."
        result = narrate.result_of(run)
        if result and result.status != "stopped":
            return f"{run.name} is finished ({result.status}). Say what shall be different, and a new run begins."
        request = narrate.request_of(run)
        self.commands.begin(["run", str(request.clip), "--resume", "--out", str(run)], run)
        self.about.note(run=run)
        return f"{run.name} goes on where it was left."

    def overnight(
        self,
        clips: Sequence[Path] = (),
        folders: Sequence[Path] = (),
        *,
        robots: Sequence[str] = (),
        until: str | None = None,
        usd: float | None = None,
    ) -> str:
        """Queue clips for the night. This always asks: it takes hours."""
        found = [self.about.clip(clip)[0] for clip in clips]
        for folder in folders or ([] if found else [None]):
            found += self.about.clips_in(folder)
        resolved = [self.about.robot(name) for name in robots or [self.now.robot]]
        until, usd = until or _UNTIL, _USD if usd is None else usd
        names = ", ".join(clip.name for clip in found[:4]) + (", …" if len(found) > 4 else "")
        many = f"{len(found)} clip{'s' * (len(found) > 1)}"
        titles = " and ".join(map(robot_title, resolved))
        question = f"Work on {many} ({names}) with {titles} until {until}, at most ${usd:g}. Start it?"
        if not self.allow(question):
            return "Nothing was started."
        arguments = ["overnight", *map(str, found), "--until", until, "--usd", f"{usd:g}", "--robot", *resolved]
        arguments += ["--author", self.author, "--critic", self.critic]
        out = self.root.absolute() / f"overnight-{time.strftime('%Y%m%d-%H%M%S')}"
        self.commands.start_unless_refused([*arguments, "--out", str(out)], out.name)
        return (
            f"The night has begun: {many} until {until}. I send no mail; the morning report will be "
            f"{out / 'report.html'}, and `video2reward status {out}` tells how far it is."
        )

    def recall(self, clip: Path | None, keypoints: Path | None = None, robot: str | None = None) -> str:
        """Say which remembered rewards are near a clip in motion."""
        clip, keypoints = self.about.clip(clip, keypoints)
        arguments = ["recall", str(clip), "--json"]
        arguments += ["--keypoints", str(keypoints)] if keypoints else []
        arguments += ["--robot", self.about.robot(robot)] if robot else []
        hits = [Recollection.model_validate(hit) for hit in json.loads(self.commands.run(arguments))]
        self.about.note(clip=clip, keypoints=keypoints)
        if not hits:
            return "Nothing is remembered yet that could be compared."
        near = "fits" if hits[0].near else "is the nearest, and is far"
        lines = [f"{hits[0].attempt} {near}:"]
        lines += [
            f"{hit.attempt} ({robot_title(hit.robot)}, GSI {hit.gsi:.2f}): {hit.sentence} {hit.folder}" for hit in hits
        ]
        return "\n".join(lines)

    def describe(self, clip: Path | None, keypoints: Path | None = None) -> str:
        """Say what a clip shows and how far to trust it."""
        clip, keypoints = self.about.clip(clip, keypoints)
        said = self.commands.run(["describe", str(clip)] + (["--keypoints", str(keypoints)] if keypoints else []))
        self.about.note(clip=clip, keypoints=keypoints)
        return said.strip()

    def status(self, run: Path | None = None) -> str:
        return narrate.status(self._run(run))

    def explain(self, which: int | str | None = None, run: Path | None = None) -> str:
        run = self._run(run)
        if which is None:
            return narrate.why(run)
        return narrate.about(run, which)

    def show(self, which: int | str = "best", run: Path | None = None) -> str:
        """Tell one try, and draw the clip and the robot side by side where that was not done yet."""
        from video2reward.agent.toolbox import SHEET
        from video2reward.tools.critic.filming import make_sheet

        run = self._run(run)
        folder = run / "attempts" / narrate.find_attempt(run, which).id
        if (folder / "rollout.npz").exists() and not (folder / SHEET).exists():
            try:
                make_sheet(folder, run, folder / SHEET)
            except (V2RError, OSError):
                pass  # a picture less; what is known is told
        return narrate.about(run, which)

    def compare(self, first: int | str = 1, second: int | str = 2, run: Path | None = None) -> str:
        return narrate.compare(self._run(run), first, second)

    def listing(self) -> str:
        found = narrate.runs_under(self.root)
        if not found:
            return f"There is no run under {self.root} yet."
        return "\n".join(narrate.status(run).splitlines()[0] for run in found[:12])

    def watch(self, run: Path | None = None) -> Iterator[str]:
        """Yield what a run does until it ends; whoever stops listening does not stop it."""
        run = self._run(run)
        told = 0
        while True:
            alive = narrate.is_alive(run)
            lines = narrate.told(run)
            yield from lines[told:]
            told = len(lines)
            if not alive:
                break
            time.sleep(1.0)
        yield narrate.status(run)

    def use(self, name: str) -> Path:
        """Take a run by its name or path as the one that is talked about."""
        for path in (Path(name), self.root / name):
            if (path / "request.json").is_file():
                self.about.note(run=path.absolute())
                return path.absolute()
        there = ", ".join(run.name for run in narrate.runs_under(self.root)[:6]) or "none"
        raise BadInput(f"there is no run {name}.", f"The latest: {there}.")

    def _run(self, run: Path | None) -> Path:
        if run is not None:
            return run
        if self.now.run and (self.now.run / "request.json").is_file():
            return self.now.run
        if self.now.run and (log := self.home / f"{self.now.run.name}.log").is_file():
            raise BadInput(f"{self.now.run.name} could not be run. {last_words(log)}")
        found = narrate.runs_under(self.root)
        if not found:
            raise BadInput("there is no run yet.", 'Start one: "make the go1 trot like clip.mp4".')
        return found[0].absolute()

    def _new_run(self, clip: Path, robot: str) -> Path:
        from video2reward.agent.session import default_out

        out = default_out(clip, robot, self.root).absolute()
        free = (out.with_name(f"{out.name}-{k}") if k > 1 else out for k in range(1, 100))
        return next(path for path in free if not path.exists())
