"""Make the example clip: `python examples/make_dog.py [FOLDER]`.

Writes dog_trot.mp4, the points of its joints as dog_trot_keypoints.csv (frame, NAME_x, NAME_y, NAME_confidence; pixels,
y down), and dog_trot_truth.json: what the clip shows, in numbers. The dog is drawn, so the truth is exact, and nothing
is random between two runs. Left limbs are the far ones: their joints are behind the trunk, and less sure.
"""

from __future__ import annotations

import argparse
import csv
import json
from pathlib import Path

import av
import cv2
import numpy as np
from dog_motion import TRUTH, Pose, pose_at
from dog_picture import draw_dog
from landscape import HEIGHT, WIDTH, Landscape, project

NAME = "dog_trot"
HIDDEN = {"left_shoulder": 0.6, "left_hip": 0.6, "left_elbow": 0.8, "left_knee": 0.8}
"""Confidence of points that the trunk covers; other far points 0.9, near ones 0.97, as a detector would say."""


def keypoints(pose: Pose) -> dict[str, tuple[float, float, float]]:
    """Return x px, y px and confidence by name, rounded as they are written."""
    found = {}
    for name, point in pose.joints.items():
        x, y = project(point, pose.time_s)
        sure = HIDDEN.get(name, 0.9 if name.startswith("left_") else 0.97)
        found[name] = (round(float(x), 2), round(float(y), 2), sure)
    return found


def write_keypoints(path: Path) -> None:
    """Write one row per frame."""
    rows = [keypoints(pose_at(frame / TRUTH.fps)) for frame in range(TRUTH.num_frames)]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["frame", *(f"{name}_{what}" for name in rows[0] for what in ("x", "y", "confidence"))])
        for frame, row in enumerate(rows):
            writer.writerow([frame, *(value for point in row.values() for value in point)])


def write_clip(path: Path) -> None:
    """Draw and encode every frame; one encoder thread, so that the same machine writes the same bytes."""
    landscape = Landscape()
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=round(TRUTH.fps), options={"crf": "25", "preset": "slow"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.codec_context.thread_count = 1
        for index in range(TRUTH.num_frames):
            pose = pose_at(index / TRUTH.fps)
            picture = landscape.draw(pose.time_s)
            draw_dog(picture, pose)
            small = cv2.resize(np.clip(picture, 0, 255).astype(np.uint8), (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(small, format="rgb24")))
        container.mux(stream.encode())


def main() -> None:
    """Write the three files."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?", default=Path(__file__).parent)
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    write_keypoints(folder / f"{NAME}_keypoints.csv")
    (folder / f"{NAME}_truth.json").write_text(json.dumps(TRUTH.as_json(), indent=2) + "\n", encoding="utf-8")
    write_clip(folder / f"{NAME}.mp4")


if __name__ == "__main__":
    main()
