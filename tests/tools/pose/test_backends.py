"""Pose backends from end to end on networks exported with the inputs and outputs of the real ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from video2reward.memory.errors import BadInput, MissingPart
from video2reward.memory.records import PERSON_KEYPOINTS, QUADRUPED_KEYPOINTS
from video2reward.tools.pose.backend import Detection, choose_backend
from video2reward.tools.pose.keypoint_formats import AP10K, HALPE26
from video2reward.tools.pose.rtmpose import RTMPose
from video2reward.tools.pose.topdown import DETECT_EVERY, TopDown, subjects
from video2reward.tools.video import Frame

from . import networks

BOX = np.array([200.0, 60.0, 240.0, 240.0])


def _scatter(num_points: int, seed: int = 0) -> np.ndarray:
    """Return points (K, 2) inside the box, no two discs of which touch."""
    rng = np.random.default_rng(seed)
    cells = rng.permutation(36)[:num_points]
    return np.stack([BOX[0] + 20 + 40 * (cells % 6), BOX[1] + 20 + 40 * (cells // 6)], axis=1) + rng.uniform(
        -8, 8, (num_points, 2)
    )


@pytest.mark.parametrize("batch", ["batch", 1], ids=["any number at once", "one at a time"])
def test_rtmpose_people_come_with_heels_and_toes(tmp_path: Path, batch: int | str) -> None:
    file = networks.save_simcc(tmp_path / "net.onnx", 26, (192, 256), batch)
    backend = RTMPose(file, "RTMPose Halpe26", "person", HALPE26)
    truth = _scatter(26)
    picture = networks.picture_with_blobs((640, 360), truth)
    xy, confidence = backend.see(picture, np.stack([BOX, BOX + [5, -5, 10, 10]]))
    assert set(backend.names) <= set(PERSON_KEYPOINTS) and len(set(backend.names)) == len(backend.names)
    assert {"left_heel", "right_toe"} <= set(backend.names)
    assert xy.shape == (2, len(backend.names), 2) and confidence.shape == xy.shape[:2]
    for source, name in backend.name_by_source_name.items():
        assert xy[:, backend.names.index(name)] == pytest.approx(
            np.tile(truth[HALPE26.index(source)], (2, 1)), abs=2.0
        ), name
    assert (confidence > 0.1).all()


def test_rtmpose_animals_bear_anatomical_names(tmp_path: Path) -> None:
    file = networks.save_simcc(tmp_path / "net.onnx", 17, (256, 256))
    backend = RTMPose(file, "RTMPose AP-10K", "quadruped", AP10K)
    truth = _scatter(17, seed=1)
    xy, _ = backend.see(networks.picture_with_blobs((640, 360), truth), BOX[None])
    assert set(backend.names) <= set(QUADRUPED_KEYPOINTS)
    # What AP-10K calls the left hip is a dog's knee, its knee the ankle.
    for name, source in (("left_knee", "left_hip"), ("right_ankle", "right_knee"), ("left_hind_paw", "left_back_paw")):
        assert xy[0, backend.names.index(name)] == pytest.approx(truth[AP10K.index(source)], abs=2.0)


def test_no_box_gives_no_body(tmp_path: Path) -> None:
    file = networks.save_simcc(tmp_path / "net.onnx", 17, (256, 256))
    xy, confidence = RTMPose(file, "x", "quadruped", AP10K).see(np.zeros((50, 50, 3), np.uint8), np.empty((0, 4)))
    assert xy.shape[0] == confidence.shape[0] == 0


def test_a_network_of_another_kind_is_refused_in_a_sentence(tmp_path: Path) -> None:
    other = networks.save_heatmaps(tmp_path / "heat.onnx", 17, (192, 256))
    with pytest.raises(MissingPart, match="no RTMPose network"):
        RTMPose(other, "x", "quadruped", AP10K)
    fewer = networks.save_simcc(tmp_path / "few.onnx", 5, (192, 256))
    with pytest.raises(MissingPart, match="gives 5 points"):
        RTMPose(fewer, "x", "quadruped", AP10K).see(np.zeros((50, 50, 3), np.uint8), BOX[None])
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"not a network")
    with pytest.raises(MissingPart, match="no ONNX network"):
        RTMPose(broken, "x", "quadruped", AP10K)


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "video2reward" / "models"


def test_a_backend_that_is_asked_for_and_unknown_is_answered_with_those_there_are() -> None:
    with pytest.raises(BadInput, match="rtmpose"):
        choose_backend("person", "openpose")


def test_the_backend_asked_for_is_missing_with_the_file_to_put_where(empty_cache: Path) -> None:
    with pytest.raises(MissingPart, match="is not here") as caught:
        choose_backend("quadruped", "rtmpose")
    assert str(empty_cache) in caught.value.cure


class _Boxes:
    """A detector that has always seen the same."""

    name = "boxes of the test"

    def __init__(self, *found: Detection) -> None:
        self._found = found
        self.asked = 0

    def detect(self, image_rgb: np.ndarray) -> tuple[Detection, ...]:
        self.asked += 1
        return self._found


def _body(kind: str, x: float, y: float, width: float, height: float, score: float = 0.8) -> Detection:
    return Detection(np.array([x, y, width, height], float), kind, kind, score)


def test_a_rider_is_kept_apart_from_the_horse_and_a_handler_from_the_dog() -> None:
    horse, rider = _body("animal", 100, 100, 300, 250), _body("person", 200, 40, 80, 180)
    assert subjects([horse, rider], "animal") == (horse,)
    assert subjects([horse, rider], "person") == ()
    dog, handler = _body("animal", 100, 250, 120, 90), _body("person", 190, 60, 70, 285)
    assert subjects([dog, handler], "animal") == (dog,)
    assert subjects([dog, handler], "person") == (handler,)


def test_one_body_seen_as_both_kinds_counts_as_the_surer() -> None:
    person, animal = _body("person", 100, 100, 80, 200, 0.9), _body("animal", 102, 98, 80, 205, 0.5)
    assert subjects([animal, person], "animal") == ()
    assert subjects([animal, person], "person") == (person,)
    table = _body("other", 0, 0, 50, 50, 0.99)
    assert subjects([table], "person") == subjects([table], "animal") == ()


def test_a_top_down_watcher_speaks_in_pixels_of_the_clip(tmp_path: Path) -> None:
    backend = RTMPose(networks.save_simcc(tmp_path / "n.onnx", 17, (256, 256)), "RTMPose", "quadruped", AP10K)
    truth = _scatter(17)
    watcher = TopDown(_Boxes(_body("animal", *BOX), _body("person", 0, 0, 50, 100)), backend)
    # The clip is twice as large as the frame that was decoded.
    seen = watcher.look(Frame(3, 0.1, networks.picture_with_blobs((640, 360), truth), scale=0.5))
    assert [body.frame for body in seen] == [3]
    place = seen[0].xy_px[watcher.names.index("nose")]
    assert place == pytest.approx(2 * truth[AP10K.index("nose")], abs=3.0)
    assert watcher.name == "RTMPose in boxes by boxes of the test"
    assert TopDown(_Boxes(), backend).look(Frame(0, 0.0, np.zeros((9, 9, 3), np.uint8))) == []


def test_between_detections_a_box_goes_along_with_its_points(tmp_path: Path) -> None:
    backend = RTMPose(networks.save_simcc(tmp_path / "n.onnx", 17, (256, 256)), "RTMPose", "quadruped", AP10K)
    detector = _Boxes(_body("animal", *BOX))
    watcher = TopDown(detector, backend)
    truth = _scatter(17)
    for frame in range(DETECT_EVERY):  # 20 px a frame: a box that stayed would lose the points on its far side
        moved = truth + [20.0 * frame, 0.0]
        seen = watcher.look(Frame(frame, frame / 30, networks.picture_with_blobs((640, 360), moved)))
        wanted = [moved[AP10K.index(source)] for source in backend.name_by_source_name]
        assert np.abs(seen[0].xy_px - wanted).max() < 3.0
    assert detector.asked == 1


def test_a_body_that_is_lost_is_looked_for_at_once(tmp_path: Path) -> None:
    backend = RTMPose(networks.save_simcc(tmp_path / "n.onnx", 17, (256, 256)), "RTMPose", "quadruped", AP10K)
    detector = _Boxes(_body("animal", *BOX))
    watcher = TopDown(detector, backend)
    for frame in range(3):
        watcher.look(Frame(frame, frame / 30, np.zeros((360, 640, 3), np.uint8)))
    assert detector.asked == 3
