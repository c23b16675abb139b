"""What the tests of workers share: a target, and folders with specs whose workers are ended afterwards."""

from pathlib import Path

from video2reward.memory.records import MotionTarget, TrainingSpec
from video2reward.tools.train_policy import submit
from video2reward.tools.workers import Worker

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


class Jobs:
    """Folders under `root`, each with the spec of one training that a worker of `module` does."""

    def __init__(self, root: Path, module: str) -> None:
        self.root, self.module = root, module
        self._made: list[Path] = []

    def __call__(self, attempt: str, **spec: object) -> Path:
        """Put a spec into a folder of its own; return the spec's path."""
        folder = self.root / attempt
        folder.mkdir()
        self._made.append(folder)
        return submit(TrainingSpec(attempt=attempt, reward="reward.py", target=TARGET, **spec), folder)

    def end(self) -> None:
        """End what still runs, and reap it."""
        for folder in self._made:
            Worker(folder, self.module).cancel(grace_s=0.2)
            Worker(folder, self.module).state()
