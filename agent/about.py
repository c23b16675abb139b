"""What a conversation is about: the run, the clip and the robot named last, kept from one session to the next."""

from __future__ import annotations

from pathlib import Path

from video2reward.memory import runs
from video2reward.memory.errors import BadInput
from video2reward.memory.recall import memory_home
from video2reward.memory.records import StoredRecord
from video2reward.sim.config import ROBOTS, robot_title

_CLIPS = (".mp4", ".mov", ".avi", ".mkv", ".webm", ".gif", ".m4v")


class Remembered(StoredRecord):
    """What was named last."""

    run: Path | None = None
    clip: Path | None = None
    keypoints: Path | None = None
    robot: str = "go1"
    told: int = 0


class About:
    """Finds what is meant where less is said than is needed, and refuses what is not there."""

    def __init__(self, home: Path) -> None:
        self._path = home / "about.json"
        try:
            self.now = runs.load(Remembered, self._path)
        except BadInput:
            self.now = Remembered()

    def note(self, **changed: object) -> None:
        self.now = self.now.model_copy(update=changed)
        runs.save(self.now, self._path)

    def clip(self, clip: Path | None, keypoints: Path | None = None) -> tuple[Path, Path | None]:
        """Return the clip that is meant and its keypoints; by default the last ones. Raises BadInput."""
        if clip is None:
            if self.now.clip is None:
                raise BadInput("no clip was named yet.", "Name its file.")
            return self.now.clip, keypoints or self.now.keypoints
        for path, what in ((clip, "clip"), (keypoints, "keypoint file")):
            if path is not None and not path.is_file():
                raise BadInput(f"there is no {what} {path}.", "Check the path.")
        return clip.absolute(), keypoints.absolute() if keypoints else None

    def clips_in(self, folder: Path | None) -> list[Path]:
        """Return the clips of a folder, by default of that of the last clip. Raises BadInput where there are none."""
        folder = folder or (self.now.clip.parent if self.now.clip else None)
        if folder is None:
            raise BadInput("no folder was named.", "Name it: run clips/ overnight.")
        found = sorted(path.absolute() for path in folder.glob("*") if path.suffix.lower() in _CLIPS)
        if not found:
            raise BadInput(f"there is no clip in {folder}.", f"Clips end in {', '.join(_CLIPS)}.")
        return found

    def robot(self, name: str | None) -> str:
        """Return the robot that is meant, by default the last one, as `run` knows it. Raises BadInput, MissingPart."""
        from video2reward.tools.robots import resolve_robot

        return resolve_robot(name, memory_home()) if name else self.now.robot


def known_robots() -> tuple[str, ...]:
    """Return the names of the robots that were inspected here, with and without what tells their models apart."""
    from video2reward.tools.robots import known_robots

    titles = [robot_title(robot.name) for robot in known_robots(memory_home()) if robot.name not in ROBOTS]
    return tuple(dict.fromkeys([*titles, *(title.rpartition("-")[0] for title in titles)]))
