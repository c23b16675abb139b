"""Measure the eyes against clips whose truth is known: `python -m video2reward.evals.perception`.

Drawn animals and a rendered Go1 are made on the spot (`--only drawn` and `--only robots` need nothing else); the drawn
ones are of the kind the embedded network was trained on. All other clips come from the folder V2R_CLIPS names. Rendered
dogs run from pixels, with the embedded network, and from their true keypoints with 3 px of noise, a tenth of the points
dropped and a tenth of the frames with left and right exchanged, over several seeds; people and real animals run from
pixels. Of a real animal the stride frequency counts where it is not said to be unsure, and a gait that is not refused
has to bear the right name.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table
from video2reward.evals.clip_truth import (
    ANIMAL_FREQUENCY,
    ANIMALS,
    DOG_BOUNDS,
    DOGS,
    PEOPLE,
    PIXEL_BOUNDS,
    SURE_FREQUENCY,
    Bounds,
    PersonTruth,
)
from video2reward.evals.drawn_animals import HELD_OUT, write_animal
from video2reward.evals.mocap import MocapTruth, mocap_keypoints, mocap_truth
from video2reward.evals.robot_clips import write_robots
from video2reward.memory.errors import V2RError
from video2reward.memory.records import ClipDescription, GaitDescriptor
from video2reward.sim.render import choose_gl
from video2reward.tools.cycle import apart
from video2reward.tools.describe import describe_clip

TABLES = ("drawn", "robots", "pixels", "keypoints", "animals")
NOISE_PX = 3.0
DROPOUT = 0.1


@dataclass(frozen=True)
class AnimalRow:
    """What was said of a real animal, from pixels; `frequency` is the error's share, None where nothing was claimed."""

    name: str
    verdict: str
    label: str
    right_label: bool
    frequency: float | None
    seconds: float
    frames_per_s: float
    reason: str

    @property
    def right(self) -> bool:
        return self.frequency is not None and abs(self.frequency) <= ANIMAL_FREQUENCY

    @property
    def confidently_wrong(self) -> bool:
        """Tell a wrong frequency that was claimed, or a wrong name that nothing warned of."""
        wrong_frequency = self.frequency is not None and not self.right and self.verdict == "ok"
        return wrong_frequency or (self.verdict == "ok" and not self.right_label)


@dataclass(frozen=True)
class Row:
    """The errors on one clip; phase is the mean over the limbs (E_phi) and is bounded, duty is the worst limb's."""

    name: str
    label: str
    right_label: bool
    frequency: float
    phase: float
    worst_phase: float
    duty: float
    speed: float | None
    seconds: float
    bounds: Bounds
    failure: str = ""

    @property
    def passed(self) -> bool:
        within = (
            abs(self.frequency) <= self.bounds.frequency
            and self.phase <= self.bounds.phase
            and self.duty <= self.bounds.duty
            and (self.speed is None or self.bounds.speed is None or abs(self.speed) <= self.bounds.speed)
        )
        return not self.failure and self.right_label and within


def measure_pixels(clips: Path) -> Iterator[Row]:
    """Yield one row a rendered dog and a person, seen in the pixels alone."""
    with tempfile.TemporaryDirectory(prefix="video2reward-") as folder:
        out = Path(folder) / "out"
        for name, label in DOGS.items():
            truth = mocap_truth(clips / f"{name}_gt.npz")
            yield measure_clip(clips / f"{name}.mp4", out, None, label, truth, PIXEL_BOUNDS)
        for person in PEOPLE:
            yield measure_clip(clips / person.clip, out, None, person.label, person, person.bounds)


def measure_drawn() -> Iterator[Row]:
    """Yield one row an animal that is drawn on the spot, seen in the pixels alone."""
    with tempfile.TemporaryDirectory(prefix="video2reward-") as folder:
        for animal in HELD_OUT:
            clip, truth = write_animal(Path(folder), animal)
            yield measure_clip(clip, Path(folder) / "out", None, animal.gait, truth, PIXEL_BOUNDS)


def measure_robots() -> Iterator[Row]:
    """Yield one row a gait of a Go1 that is rendered on the spot, seen in the pixels alone."""
    with tempfile.TemporaryDirectory(prefix="video2reward-") as folder:
        for clip, target, truth in write_robots(Path(folder)):
            yield measure_clip(clip, Path(folder) / "out", None, target.gait, truth, PIXEL_BOUNDS)


def measure_keypoints(clips: Path, seeds: int, swaps: float) -> Iterator[Row]:
    """Yield one row a rendered dog: the means over the seeds of noise, from its true points made worse."""
    with tempfile.TemporaryDirectory(prefix="video2reward-") as folder:
        for name, label in DOGS.items():
            gt = clips / f"{name}_gt.npz"
            truth = mocap_truth(gt)
            rows = []
            for seed in range(seeds):
                keypoints = mocap_keypoints(
                    gt, Path(folder) / "points.csv", noise_px=NOISE_PX, dropout=DROPOUT, swaps=swaps, seed=seed
                )
                rows.append(
                    measure_clip(clips / f"{name}.mp4", Path(folder) / "out", keypoints, label, truth, DOG_BOUNDS)
                )
            yield _mean(rows)


def measure_animals(clips: Path) -> Iterator[AnimalRow]:
    """Yield one row a real animal, seen in the pixels alone."""
    with tempfile.TemporaryDirectory(prefix="video2reward-") as folder:
        for name, label, hertz in ANIMALS:
            start = time.perf_counter()
            try:
                _, description = describe_clip(clips / name, Path(folder) / "out")
            except V2RError as error:
                yield AnimalRow(name, "refuse", "-", False, None, time.perf_counter() - start, 0.0, str(error))
                continue
            seconds = time.perf_counter() - start
            gait = description.gait
            claimed = gait is not None and gait.confidence["stride_frequency"] >= SURE_FREQUENCY
            yield AnimalRow(
                name=name,
                verdict=description.quality.verdict,
                label=gait.gait if gait else "-",
                right_label=gait is not None and gait.gait == label,
                frequency=gait.stride_frequency_hz / hertz - 1 if gait and claimed else None,
                seconds=seconds,
                frames_per_s=description.clip.num_frames / seconds,
                reason=" ".join(description.quality.reasons),
            )


def _mean(rows: list[Row]) -> Row:
    """Return the means of the errors' sizes; the worst limb and the label are those of all rows together."""
    failed = next((row.failure for row in rows if row.failure), "")
    speeds = [abs(row.speed) for row in rows if row.speed is not None]
    return Row(
        name=rows[0].name,
        label=rows[0].label if len({row.label for row in rows}) == 1 else "/".join(sorted({row.label for row in rows})),
        right_label=all(row.right_label for row in rows),
        frequency=float(np.mean([abs(row.frequency) for row in rows])),
        phase=float(np.mean([row.phase for row in rows])),
        worst_phase=max(row.worst_phase for row in rows),
        duty=float(np.mean([row.duty for row in rows])),
        speed=float(np.mean(speeds)) if speeds else None,
        seconds=sum(row.seconds for row in rows),
        bounds=rows[0].bounds,
        failure=failed,
    )


def measure_clip(
    clip: Path, out: Path, keypoints: Path | None, label: str, truth: MocapTruth | PersonTruth, bounds: Bounds
) -> Row:
    """Describe one clip and return how far its numbers are off."""
    start = time.perf_counter()
    failure, description = "", None
    try:
        _, description = describe_clip(clip, out, keypoints=keypoints)
    except V2RError as error:
        failure = str(error)
    seconds = time.perf_counter() - start
    if description is None or description.gait is None:
        reason = failure or " ".join(description.quality.reasons if description else ())
        return Row(clip.name, "-", False, 1.0, 0.5, 0.5, 1.0, None, seconds, bounds, reason or "no gait")
    frequency, phases, duty, speed = _errors(description.gait, truth)
    right = description.gait.gait == label and not _wrong_travel(description, truth)
    return Row(
        clip.name,
        description.gait.gait,
        right,
        frequency,
        float(np.mean(phases)),
        max(phases),
        duty,
        speed,
        seconds,
        bounds,
    )


def _errors(gait: GaitDescriptor, truth: MocapTruth | PersonTruth) -> tuple[float, list[float], float, float | None]:
    if isinstance(truth, PersonTruth):
        frequency = gait.stride_frequency_hz / truth.frequency_hz - 1
        phases = [apart(gait.phase_offsets["R"], truth.phase)]
        return frequency, phases, abs(float(np.mean(list(gait.duty_factor.values()))) - truth.duty), None
    others = [limb for limb in truth.phase_offsets if limb != "FL"]
    phases = [apart(gait.phase_offsets.get(limb, 0.0), truth.phase_offsets[limb]) for limb in others]
    duty = max(abs(gait.duty_factor.get(limb, 1.0) - value) for limb, value in truth.duty_factor.items())
    speed = gait.speed_leg_lengths_s * truth.leg_length_m / truth.speed_m_s - 1
    return gait.stride_frequency_hz / truth.stride_frequency_hz - 1, phases, duty, speed


def _wrong_travel(description: ClipDescription, truth: MocapTruth | PersonTruth) -> bool:
    on_the_spot = isinstance(truth, PersonTruth) and "treadmill" in truth.clip
    return description.gait is not None and (description.gait.travel == "on_the_spot") != on_the_spot


def main() -> int:
    """Print the figures and return 0 where every number is within its bounds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3, help="seeds of noise, drop-out and swaps for each rendered dog")
    parser.add_argument("--clips", type=Path, default=os.environ.get("V2R_CLIPS"), help="folder; V2R_CLIPS by default")
    parser.add_argument("--swaps", type=float, default=0.1, help="share of frames with left and right exchanged")
    parser.add_argument("--only", choices=TABLES, help="one of the tables")
    options = parser.parse_args()
    passed: list[bool] = []
    if options.only in (None, "drawn"):
        passed += _show("drawn animals, from pixels: errors against truth", measure_drawn())
    if options.only in (None, "robots") and choose_gl() is None:
        print("No GL library renders here (install libegl1 and libgl1): the Go1 is left out.", file=sys.stderr)
        if options.only:
            return 2
    elif options.only in (None, "robots"):
        passed += _show("a rendered Go1, from pixels: errors against truth", measure_robots())
    if options.only not in ("drawn", "robots") and (not options.clips or not Path(options.clips).is_dir()):
        print(
            "V2R_CLIPS does not name the folder of clips: only what is made here can be measured.",
            file=sys.stderr,
        )
        return 2
    clips = Path(options.clips or "")
    if options.only in (None, "pixels"):
        passed += _show("from pixels: errors against truth", measure_pixels(clips))
    if options.only in (None, "keypoints"):
        title = (
            f"from true points, {NOISE_PX:.0f} px noise, {DROPOUT:.0%} dropped, {options.swaps:.0%} exchanged: means"
        )
        passed += _show(f"{title} over {options.seeds} seeds", measure_keypoints(clips, options.seeds, options.swaps))
    if options.only in (None, "animals"):
        passed += _show_animals(list(measure_animals(clips)))
    print(f"{sum(passed)} of {len(passed)} within bounds")
    return 0 if all(passed) else 1


def _show(title: str, rows: Iterator[Row]) -> list[bool]:
    table = Table("clip", "gait", "stride Hz", "phase", "worst", "duty", "speed", "s", "", title=title)
    passed = []
    for row in rows:
        passed.append(row.passed)
        speed = "" if row.speed is None else f"{row.speed:+.1%}"
        numbers = (f"{row.frequency:+.2%}", f"{row.phase:.3f}", f"{row.worst_phase:.3f}", f"{row.duty:.3f}", speed)
        cells = numbers if not row.failure else (row.failure[:60], "", "", "", "")
        table.add_row(row.name, row.label, *cells, f"{row.seconds:.1f}", "ok" if row.passed else "MISSED")
    Console(width=130).print(table)
    return passed


def _show_animals(rows: list[AnimalRow]) -> list[bool]:
    table = Table("clip", "verdict", "gait", "stride Hz", "frames/s", "why", title="real animals, from pixels")
    for row in rows:
        frequency = "not claimed" if row.frequency is None else f"{row.frequency:+.1%}"
        table.add_row(row.name, row.verdict, row.label, frequency, f"{row.frames_per_s:.0f}", row.reason[:120])
    Console(width=130).print(table)
    right = sum(row.right for row in rows)
    wrong = sum(row.confidently_wrong for row in rows)
    named = sum(row.right_label and row.verdict != "refuse" for row in rows)
    print(f"stride frequency within {ANIMAL_FREQUENCY:.0%}: {right} of {len(rows)}; right name, not refused: {named}; "
          f"confidently wrong: {wrong}")  # fmt: skip
    return [right >= 3, wrong == 0]


if __name__ == "__main__":
    raise SystemExit(main())
