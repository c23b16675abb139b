"""What is known of the clips that the eyes are measured on, and how far off their numbers may be."""

from __future__ import annotations

from dataclasses import dataclass

DOGS = {
    f"dogs_mocap/dog_{name}_{camera}": label
    for name, label in (("pace_walk00", "pace"), ("trot_walk04", "trot"), ("canter_run00", "canter"))
    for camera in ("pan", "static")
}


@dataclass(frozen=True)
class Bounds:
    """How far off each number may be: shares for frequency and speed, strides for phases and duty."""

    frequency: float
    phase: float
    duty: float
    speed: float | None


# What was asked for, not what is reached: a row that misses it says so.
DOG_BOUNDS = Bounds(frequency=0.01, phase=0.02, duty=0.07, speed=0.06)
PIXEL_BOUNDS = Bounds(frequency=0.03, phase=0.04, duty=0.08, speed=0.08)
ANIMAL_FREQUENCY = 0.1
SURE_FREQUENCY = 0.4
"""A stride frequency of lower confidence is not claimed."""


@dataclass(frozen=True)
class PersonTruth:
    """What was read frame by frame by eye from a clip of a person."""

    clip: str
    label: str
    frequency_hz: float
    duty: float
    phase: float
    bounds: Bounds


PEOPLE = (
    PersonTruth("people/sports2d_walk_woman_crop.mp4", "walk", 0.824, 0.645, 0.505, Bounds(0.03, 0.03, 0.08, None)),
    PersonTruth("people/sports2d_demo_multi_person.mp4", "walk", 0.824, 0.645, 0.505, Bounds(0.03, 0.03, 0.08, None)),
    PersonTruth("people/runner_treadmill.gif", "run", 1.34, 0.41, 0.5, Bounds(0.04, 0.05, 0.08, None)),
)


ANIMALS = (  # label and stride frequency in Hz, read frame by frame by eye
    ("animals/dog_real_9.mp4", "walk", 1.11),
    ("animals/dog_real_15.mp4", "trot", 3.31),
    ("animals/dog_real_26.mp4", "trot", 3.13),
    ("animals/sds_bound.mp4", "gallop", 2.59),
    ("animals/sds_trot.mp4", "trot", 0.771),
)
