"""Detectors from end to end on networks exported with the heads of the real ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from video2reward.memory.errors import MissingPart
from video2reward.tools.pose.detectors import YOLOX, RTMDet, bodies, iou, letterbox, open_detector

from . import networks

RED, GREEN, BLUE, WHITE = (250, 20, 20), (20, 250, 20), (20, 20, 250), (250, 250, 250)
PERSON, CAR, DOG, SHEEP = 0, 2, 16, 18


@pytest.fixture(scope="module")
def yolox(tmp_path_factory: pytest.TempPathFactory) -> YOLOX:
    classes = {PERSON: RED, DOG: GREEN, SHEEP: BLUE, CAR: WHITE}
    file = networks.save_yolox(tmp_path_factory.mktemp("yolox") / "net.onnx", classes, (416, 416))
    return YOLOX(file, "YOLOX of the test")


def _paint(shape: tuple[int, int], *spots: tuple[tuple[int, int, int], int, int, int, int]) -> np.ndarray:
    picture = np.full((*shape, 3), 90, np.uint8)
    for colour, x, y, width, height in spots:
        picture[y : y + height, x : x + width] = colour
    return picture


def test_yolox_finds_people_and_animals_where_they_are(yolox: YOLOX) -> None:
    # At 832×468 the picture is halved: a cell of stride 8 covers 16 px, of stride 16 32 px, of stride 32 64 px.
    picture = _paint((468, 832), (RED, 128, 128, 64, 64), (GREEN, 512, 256, 64, 64), (WHITE, 320, 64, 64, 64))
    found = yolox.detect(picture)
    assert {(body.kind, body.label) for body in found} == {("person", "person"), ("animal", "dog")}
    for label, middle in (("person", (160, 160)), ("dog", (544, 288))):
        # The cell of stride 32 fills the spot: its box is 4×3 cells of 64 px around the middle.
        expected = np.array([middle[0] - 128, middle[1] - 96, 256, 192]).clip(0)
        boxes = [body.box_px for body in found if body.label == label]
        assert any(iou(box, expected) > 0.85 for box in boxes), label
    assert [body.score for body in found] == sorted((body.score for body in found), reverse=True)


def test_yolox_reads_colours_the_right_way_round(yolox: YOLOX) -> None:
    # Blue is a sheep; read as RGB in place of BGR it would be a person.
    assert {body.label for body in yolox.detect(_paint((416, 416), (BLUE, 128, 128, 64, 64)))} == {"sheep"}


def test_an_empty_scene_has_nobody(yolox: YOLOX) -> None:
    assert yolox.detect(_paint((240, 320))) == ()


def test_rtmdet_reads_what_mmdeploy_exports(tmp_path: Path) -> None:
    corners = np.array([[32, 40, 96, 200, 0.9], [100, 100, 180, 160, 0.8], [0, 0, 50, 50, 0.1]], np.float32)
    file = networks.save_rtmdet(tmp_path / "net.onnx", corners, np.array([PERSON, DOG, DOG], np.int64))
    # A picture of RTMDet's own mean colour comes to the network as zeros, and keeps the scores.
    grey = np.full((640, 640, 3), np.array([124, 116, 104]), np.uint8)
    person, dog = RTMDet(file, "RTMDet").detect(grey)
    assert person.box_px == pytest.approx([64, 80, 128, 320]) and person.score == pytest.approx(0.9, abs=0.01)
    assert (dog.kind, dog.label) == ("animal", "dog") and dog.box_px == pytest.approx([200, 200, 160, 120])
    assert RTMDet(file, "RTMDet").detect(np.full((640, 640, 3), 255, np.uint8)) == ()


def test_a_letterbox_keeps_the_shape_and_pads_with_grey() -> None:
    padded, scale = letterbox(np.full((100, 400, 3), (10, 20, 30), np.uint8), (416, 416))
    assert scale == pytest.approx(1.04) and padded.shape == (3, 416, 416)
    assert padded[:, 50, 200].tolist() == [30, 20, 10]  # BGR
    assert padded[:, 300, 200].tolist() == [114, 114, 114]


def test_of_overlapping_boxes_of_a_kind_the_surest_stays() -> None:
    boxes = np.array([[10, 10, 100, 100], [12, 12, 100, 100], [14, 10, 100, 100], [300, 10, 100, 100]], float)
    found = bodies(boxes, np.array([0.5, 0.9, 0.7, 0.6]), np.array([DOG, SHEEP, PERSON, DOG]), (480, 640))
    # The dog and the sheep are one animal; the person on the same spot is told apart later, by the whole picture.
    assert [(body.label, round(body.score, 1)) for body in found] == [("sheep", 0.9), ("person", 0.7), ("dog", 0.6)]


def test_boxes_end_at_the_rim_and_what_is_no_number_is_left_out() -> None:
    boxes = np.array([[-50, -50, 100, 100], [np.nan, 0, 10, 10], [600, 400, 500, 500], [0, 0, 2, 300]], float)
    found = bodies(boxes, np.full(4, 0.9), np.full(4, DOG), (480, 640))
    assert [body.box_px.tolist() for body in found] == [[0, 0, 50, 50], [600, 400, 40, 80]]


def test_overlap_is_over_what_two_boxes_cover_together() -> None:
    # 5 of 10 + 10 - 5 columns
    assert iou(np.array([0, 0, 10, 4.0]), np.array([5, 0, 10, 4.0])) == pytest.approx(1 / 3)
    assert iou(np.array([0, 0, 10, 4.0]), np.array([20, 0, 10, 4.0])) == 0.0


def test_other_networks_are_refused_in_a_sentence(tmp_path: Path) -> None:
    simcc = networks.save_simcc(tmp_path / "simcc.onnx", 17, (256, 256))
    with pytest.raises(MissingPart, match="no YOLOX network"):
        YOLOX(simcc, "x")
    with pytest.raises(MissingPart, match="no RTMDet network"):
        RTMDet(simcc, "x")
    heat = networks.save_heatmaps(tmp_path / "heat.onnx", 17, (256, 256))
    with pytest.raises(MissingPart, match="no YOLOX network"):
        YOLOX(heat, "x").detect(np.zeros((50, 50, 3), np.uint8))


def test_without_a_file_the_error_names_the_surest_detector(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(MissingPart, match="models pull yolox-s"):
        open_detector()
    file = networks.save_yolox(tmp_path / "net.onnx", {PERSON: RED}, (416, 416))
    folder = tmp_path / "video2reward" / "models"
    folder.mkdir(parents=True)
    file.rename(folder / "yolox_tiny.onnx")
    with pytest.raises(MissingPart, match="yolox-s"):  # not the published file, and not added by the user: not used
        open_detector()
