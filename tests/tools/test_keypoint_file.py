"""Keypoint files of every kind, and names of every spelling."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from video2reward.memory.errors import BadKeypoints
from video2reward.memory.records import PERSON_KEYPOINTS, QUADRUPED_KEYPOINTS, Clip
from video2reward.tools.pose.keypoint_file import read_keypoints
from video2reward.tools.pose.keypoint_formats import AP10K, COCO_PERSON
from video2reward.tools.pose.names import canonical_names

CLIP = Clip(path=Path("a.mp4"), sha256="0", fps=30, duration_s=1, width_px=640, height_px=360, num_frames=30)


def _plain(path: Path, points: dict[str, np.ndarray], frames: range | None = None) -> Path:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["frame", *(f"{name}_{what}" for name in points for what in ("x", "y", "confidence"))])
        for row, frame in enumerate(frames or range(len(next(iter(points.values()))))):
            writer.writerow([frame, *(v for xy in points.values() for v in (*xy[row], 0.9))])
    return path


def _dog(length: int = 30, flip: int = 1) -> dict[str, np.ndarray]:
    """Return canonical points of a quadruped that faces right (left for flip -1): front ahead, paws below."""
    points = {}
    for index, name in enumerate(QUADRUPED_KEYPOINTS):
        ahead = 100 if any(part in name for part in ("nose", "withers", "shoulder", "elbow", "wrist", "front")) else 0
        down = 80 if "paw" in name else 0
        points[name] = np.stack([300 + flip * (ahead + np.arange(length)), 100 + down + np.full(length, index)], axis=1)
    return points


def test_canonical_names_stay_as_they_are() -> None:
    for names in (PERSON_KEYPOINTS, QUADRUPED_KEYPOINTS):
        assert canonical_names(names)[1] == {name: name for name in names}
    assert canonical_names(PERSON_KEYPOINTS)[0] == "person"
    assert canonical_names(QUADRUPED_KEYPOINTS)[0] == "quadruped"


@pytest.mark.parametrize(
    "source, canonical",
    [
        ("L_F_Paw", "left_front_paw"),
        ("RHfoot", "right_hind_paw"),
        ("FL", "left_front_paw"),
        ("rr_hoof", "right_hind_paw"),
        ("leftforepaw", "left_front_paw"),
        ("back-left-paw", "left_hind_paw"),
        ("hind_right_hock", "right_ankle"),
        ("LeftStifle", "left_knee"),
        ("Root of tail", "tail_base"),
        ("right_front_knee", "right_wrist"),
        ("tailBase", "tail_base"),
        ("wrist.R", "right_wrist"),
    ],
)
def test_animal_names_of_many_spellings_are_understood(source: str, canonical: str) -> None:
    assert canonical_names([source, "withers"])[1][source] == canonical


@pytest.mark.parametrize(
    "source, canonical",
    [
        ("LAnkle", "left_ankle"),
        ("RBigToe", "right_toe"),
        ("left_foot_index", "left_toe"),
        ("Right Shoulder", "right_shoulder"),
        ("hip-left", "left_hip"),
        ("l_heel", "left_heel"),
        ("ankle.R", "right_ankle"),
    ],
)
def test_people_names_of_many_spellings_are_understood(source: str, canonical: str) -> None:
    assert canonical_names([source]) == ("person", {source: canonical})


def test_ap10ks_hip_is_the_knee_and_its_knee_the_ankle() -> None:
    mapped = canonical_names(AP10K)[1]
    assert (mapped["left_hip"], mapped["right_knee"]) == ("left_knee", "right_ankle")
    assert mapped["left_back_paw"] == "left_hind_paw"
    # With an ankle of its own, a file's hip is a hip.
    anatomical = canonical_names(["left_hip", "left_knee", "left_ankle", "left_hind_paw", "withers"])[1]
    assert anatomical["left_hip"] == "left_hip"
    assert canonical_names(["left_hip", "left_knee", "left_hind_paw", "tail_base"])[1]["left_hip"] == "left_hip"


@given(st.lists(st.text(max_size=30), max_size=20))
def test_any_names_are_mapped_or_left_out_but_never_twice(names: list[str]) -> None:
    _, mapped = canonical_names(names)
    assert len(set(mapped.values())) == len(mapped)
    assert set(mapped) <= set(names)


def test_a_plain_csv_is_read(tmp_path: Path) -> None:
    points = read_keypoints(_plain(tmp_path / "a.csv", _dog()), CLIP)
    assert points.skeleton == "quadruped"
    assert points.names == QUADRUPED_KEYPOINTS
    assert points.xy_px[3, points.names.index("nose")] == pytest.approx(_dog()["nose"][3])
    assert points.confidence.max() == pytest.approx(0.9)


def test_missing_cells_are_points_that_were_not_seen(tmp_path: Path) -> None:
    text = "frame,left_ankle_x,left_ankle_y,right_ankle_x,right_ankle_y\n" + "".join(
        f"{i},{'' if i == 2 else 10},20,30,nan\n" if i < 4 else f"{i},10,20,30,40\n" for i in range(10)
    )
    (tmp_path / "a.csv").write_text(text)
    points = read_keypoints(tmp_path / "a.csv", CLIP)
    assert np.isnan(points.xy_px[2, 0]).all()
    assert np.isnan(points.xy_px[:4, 1]).all()
    assert (points.confidence[:4, 1] == 0).all()
    assert points.confidence[5, 0] == 1.0


def test_an_npz_of_names_and_points_is_read(tmp_path: Path) -> None:
    dog = _dog()
    xy = np.stack(list(dog.values()), axis=1)
    np.savez(tmp_path / "a.npz", names=np.array(list(dog)), xy=xy, confidence=np.full(xy.shape[:2], 0.7))
    assert read_keypoints(tmp_path / "a.npz", CLIP).xy_px.shape == (30, 20, 2)
    np.savez(tmp_path / "b.npz", **dog)
    assert read_keypoints(tmp_path / "b.npz", CLIP).names == QUADRUPED_KEYPOINTS


def _write_deeplabcut(path: Path, individuals: dict[str, float]) -> Path:
    names = ["left_front_paw", "right_front_paw", "left_hind_paw", "right_hind_paw", "withers", "tail_base"]
    dog = _dog()
    many = len(individuals) > 1
    head: list[list[str]] = [["scorer"], *([["individuals"]] if many else []), ["bodyparts"], ["coords"]]
    for individual in individuals:
        for name in names:
            for what in ("x", "y", "likelihood"):
                for row, cell in zip(head, ["net", *([individual] if many else []), name, what], strict=True):
                    row.append(cell)
    rows = []
    for i in range(30):
        rows.append([str(i)])
        for sure in individuals.values():
            rows[-1] += [str(cell) for name in names for cell in (*dog[name][i], sure)]
    path.write_text("\n".join(",".join(row) for row in head + rows))
    return path


def test_a_deeplabcut_csv_is_read(tmp_path: Path) -> None:
    points = read_keypoints(_write_deeplabcut(tmp_path / "dlc.csv", {"": 0.9}), CLIP)
    assert points.source.startswith("DeepLabCut")
    assert points.names[0] == "withers" and len(points.names) == 6


def test_of_deeplabcuts_individuals_the_surest_is_followed(tmp_path: Path) -> None:
    points = read_keypoints(_write_deeplabcut(tmp_path / "dlc.csv", {"ann": 0.4, "bob": 0.95}), CLIP)
    assert points.confidence.max() == pytest.approx(0.95)
    assert any("bob" in note for note in points.notes)


def _person_bodies(shift: float, length: int = 30) -> list[list[float]]:
    """Return COCO's flat lists of a person who walks by `shift` pixels a frame."""
    heights = dict(zip(("nose", "eye", "ear", "shoulder", "elbow", "wrist", "hip", "knee", "ankle"),
                       (20, 15, 18, 50, 80, 110, 120, 180, 240), strict=True))  # fmt: skip
    bodies = []
    for i in range(length):
        body: list[float] = []
        for name in COCO_PERSON:
            part = name.split("_")[-1]
            side = 6 if name.startswith("left") else -6
            swing = side * np.sin(i / 3) * (part in ("ankle", "knee"))
            body += [100 + shift * i + side + swing, heights[part] + 10, 0.9]
        bodies.append(body)
    return bodies


def test_a_coco_results_list_of_people_follows_the_one_who_travels(tmp_path: Path) -> None:
    results = []
    for i, (walker, stander) in enumerate(zip(_person_bodies(8.0), _person_bodies(0.0), strict=True)):
        still = [v + 300 if k % 3 == 0 else v for k, v in enumerate(stander)]
        results += [{"image_id": i, "category_id": 1, "keypoints": body, "score": 0.9} for body in (still, walker)]
    (tmp_path / "a.json").write_text(json.dumps(results))
    points = read_keypoints(tmp_path / "a.json", CLIP)
    assert points.skeleton == "person"
    assert np.ptp(points.xy_px[:, points.names.index("left_hip"), 0]) == pytest.approx(8 * 29, abs=1)


def test_a_coco_dataset_of_ap10k_animals_is_read(tmp_path: Path) -> None:
    dog = _dog()
    from_ap10k = {"left_eye": "nose", "right_eye": "nose", "root_of_tail": "tail_base"}
    body_of = {name: dog[from_ap10k.get(name, name.replace("back", "hind"))] for name in AP10K}
    bodies = [[cell for xy in body_of.values() for cell in (*xy[i].tolist(), 2)] for i in range(30)]
    data = {
        "images": [{"id": 100 + i, "file_name": f"{i:05d}.png"} for i in range(30)],
        "categories": [{"id": 8, "name": "dog", "keypoints": list(AP10K)}],
        "annotations": [{"image_id": 100 + i, "category_id": 8, "keypoints": body} for i, body in enumerate(bodies)],
    }
    (tmp_path / "a.json").write_text(json.dumps(data))
    points = read_keypoints(tmp_path / "a.json", CLIP)
    assert points.skeleton == "quadruped"
    assert points.name_by_source_name["left_hip"] == "left_knee"
    assert list(points.frame_index) == list(range(30))
    assert points.confidence.max() == 1.0


def test_near_and_far_become_left_and_right_by_the_facing(tmp_path: Path) -> None:
    for flip, near in ((1, "right"), (-1, "left")):
        dog = _dog(flip=flip)
        named = {name.replace("right_", "near_").replace("left_", "far_"): xy for name, xy in dog.items()}
        points = read_keypoints(_plain(tmp_path / "a.csv", named), CLIP)
        assert points.name_by_source_name["near_front_paw"] == f"{near}_front_paw"


def test_frames_counted_from_1_are_understood(tmp_path: Path) -> None:
    points = read_keypoints(_plain(tmp_path / "a.csv", _dog(), range(1, 31)), CLIP)
    assert list(points.frame_index) == list(range(30))


def test_what_cannot_be_read_or_mapped_is_refused_with_the_names_found(tmp_path: Path) -> None:
    odd = {f"thing{i}": np.zeros((30, 2)) for i in range(3)}
    files = {
        "thing0, thing1, thing2": _plain(tmp_path / "odd.csv", odd),
        "there is no keypoint file": tmp_path / "missing.csv",
        "empty": tmp_path / "empty.csv",
        "no kind": tmp_path / "a.xyz",
        "cannot be read": tmp_path / "bad.json",
        "not a readable": tmp_path / "bad.npz",
        "of the clip's 30 frames": _plain(tmp_path / "late.csv", _dog(), range(500, 530)),
    }
    (tmp_path / "empty.csv").write_bytes(b"")
    for name in ("a.xyz", "bad.json", "bad.npz"):
        (tmp_path / name).write_bytes(b"\x00not this{")
    for sentence, path in files.items():
        with pytest.raises(BadKeypoints, match=sentence) as caught:
            read_keypoints(path, CLIP)
        assert caught.value.cure
        assert "\n" not in str(caught.value)


@given(content=st.binary(max_size=400), suffix=st.sampled_from([".csv", ".json", ".npz"]))
def test_any_bytes_are_refused_but_never_crash(tmp_path_factory, content: bytes, suffix: str) -> None:
    path = tmp_path_factory.mktemp("fuzz") / f"a{suffix}"
    path.write_bytes(content)
    with pytest.raises(BadKeypoints):
        read_keypoints(path, CLIP)
