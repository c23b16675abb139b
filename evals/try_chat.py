"""Does a language model use the chat's tools as it should? Sentences as people say them, at a desk that takes notes.

Nothing is started: the desk notes what it was asked for and answers as the real one would.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from video2reward.agent.chat_model import ModelBrain
from video2reward.agent.desk import Desk
from video2reward.agent.settings import Settings
from video2reward.memory.errors import AuthorFailed
from video2reward.memory.records import Record, Steering

SENTENCES: tuple[tuple[str, str], ...] = (
    ("make the go1 trot like clips/dog.mp4", "start clips/dog.mp4 go1"),
    ("slower, less bouncing", "steer slower bounce"),
    ("why did you stop?", "explain"),
    ("show me the second try", "show 2"),
    ("which of my old rewards fits clips/new.mp4?", "recall clips/new.mp4"),
    ("remove the foot-slip term and go on", "steer without slip"),
    ("run the folder clips overnight, at most 5 dollars, mail me a report path", "overnight clips $5"),
)
"""What is said, and what the desk must have been asked for."""


class Said(Record):
    """What came of one sentence."""

    sentence: str
    wanted: str
    done: tuple[str, ...]
    answer: str

    @property
    def right(self) -> bool:
        return self.wanted in self.done


class NotingDesk(Desk):
    """Takes notes. A model may look as often as it likes; what it changes is what counts."""

    def __init__(self, home: Path) -> None:
        super().__init__(home, lambda question: True, home=home)
        self.done: list[str] = []

    def start(self, clip: Path | None = None, *, robot: str | None = None, **more: object) -> str:
        return self._noted(f"start {clip} {robot or 'go1'}", "dog-go1 is at work: go1, dog.mp4, up to 10 minutes.")

    def steer(self, steering: Steering, run: Path | None = None, *, speed_m_s: float | None = None) -> str:
        parts = ["slower"] if steering.speed_factor < 1.0 or speed_m_s is not None else []
        # Less of it may be asked for by its cost's weight, or in words for the author.
        parts += ["bounce"] if steering.weight_factors.get("bounce", 1.0) > 1.0 else []
        parts += [f"without {name}" for name in steering.remove_terms if "slip" in name]
        told = " ".join(part.replace("foot_slip", "slip").replace("foot-slip", "slip") for part in parts)
        return self._noted(f"steer {told}", "dog-go1 is told; it follows at its next lap.")

    def overnight(self, clips: Sequence[Path] = (), folders: Sequence[Path] = (), **more: object) -> str:
        where = " ".join(str(path).rstrip("/") for path in (*folders, *clips))
        return self._noted(f"overnight {where} ${more.get('usd') or 0:g}", "The night has begun; report: report.html.")

    def recall(self, clip: Path | None, keypoints: Path | None = None, robot: str | None = None) -> str:
        return self._noted(f"recall {clip}", "dog/L1-C1 fits: same gait, 6 % slower cadence, reward reached 0.78.")

    def explain(self, which: int | str | None = None, run: Path | None = None) -> str:
        return self._noted("explain", "After lap 2 it decided to stop: L2-C1 passes every gate, GSI 0.83.")

    def show(self, which: int | str = "best", run: Path | None = None) -> str:
        return self._noted(f"show {which}", "L1-C2: Passed, GSI 0.71.")

    def status(self, run: Path | None = None) -> str:
        return "dog-go1: at work, lap 2."

    def listing(self) -> str:
        return "dog-go1: at work."

    def use(self, name: str) -> Path:
        return Path(name)

    def _noted(self, what: str, answer: str) -> str:
        self.done.append(what)
        return answer


def try_chat(model: str, settings: Settings, home: Path) -> list[Said]:
    """Say each sentence in a conversation of its own. Raises AuthorFailed where the server cannot be used."""
    found = []
    for sentence, wanted in SENTENCES:
        desk = NotingDesk(home)
        brain = ModelBrain(model, settings, desk, lambda question: True)
        try:
            answer = "".join(brain.answer(sentence, ()))
        except AuthorFailed as error:
            answer = str(error)
        found.append(Said(sentence=sentence, wanted=wanted, done=tuple(desk.done), answer=answer))
    return found
