"""Backends that stand on what only some users have: transformers and mmpose, here as small classes of their interface.

The ViTPose class of transformers itself is run where transformers is installed.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from video2reward.memory.errors import BadInput, MissingPart
from video2reward.tools.pose import mmpose, vitpose
from video2reward.tools.pose.backend import choose_backend
from video2reward.tools.pose.keypoint_formats import AP10K, COCO_PERSON, HALPE26
from video2reward.tools.pose.network import Network
from video2reward.tools.pose.watchers import better_animal_watcher, open_watcher, watcher_names

from . import networks

BOX = np.array([200.0, 60.0, 240.0, 240.0])
POINTS = np.stack([BOX[0] + 20 + 40 * (np.arange(26) % 6), BOX[1] + 20 + 40 * (np.arange(26) // 6)], axis=1)
HF_LABELS = ["Nose", *(f"{side}_{part}" for part in ("Eye", "Ear", "Shoulder", "Elbow", "Wrist", "Hip", "Knee", "Ankle")
                       for side in "LR")]  # fmt: skip
MM_AP10K = (
    "L_Eye,R_Eye,Nose,Neck,Root of tail,L_Shoulder,L_Elbow,L_F_Paw,R_Shoulder,R_Elbow,R_F_Paw,L_Hip,L_Knee,L_B_Paw,"
    "R_Hip,R_Knee,R_B_Paw"
).split(",")


@pytest.fixture(autouse=True)
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No model file, no checkpoint: only what a test puts there."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.delenv("V2R_VITPOSE", raising=False)
    monkeypatch.delenv("V2R_POSE_TASK", raising=False)
    folder = tmp_path / "cache" / "video2reward" / "models"
    folder.mkdir(parents=True)
    return folder


def _close(backend: vitpose.HeatmapPose | mmpose.MMPose, xy: np.ndarray, source: list[str], within_px: float) -> None:
    for name, place in zip(backend.name_by_source_name.items(), xy[0], strict=True):
        assert np.abs(place - POINTS[source.index(name[0])]).max() < within_px, name


def test_vitpose_from_an_onnx_file_reads_its_heatmaps(bare: Path) -> None:
    networks.save_heatmaps(bare / "vitpose-s_apt36k.onnx", 17, (192, 256))
    backend = choose_backend("quadruped", "vitpose-onnx").backend
    xy, confidence = backend.see(networks.picture_with_blobs((640, 360), POINTS[:17]), BOX[None])
    assert "ViTPose" in backend.name and backend.skeleton == "quadruped"
    # A heatmap's pixel is 4 of the input's, 6 of the picture's; found between them.
    _close(backend, xy, list(AP10K), within_px=3.0)
    assert (confidence > 0.3).all()
    assert backend.see(np.zeros((9, 9, 3), np.uint8), np.empty((0, 4)))[0].shape == (0, len(backend.names), 2)


def test_a_heatmap_network_with_other_points_is_refused(bare: Path) -> None:
    networks.save_heatmaps(bare / "vitpose-s_apt36k.onnx", 20, (192, 256))
    backend = choose_backend("quadruped", "vitpose-onnx").backend
    with pytest.raises(MissingPart, match="not 17 maps"):
        backend.see(np.zeros((50, 50, 3), np.uint8), BOX[None])


class _Checkpoint:
    """transformers' VitPoseForPoseEstimation as far as it is used, around an ONNX network of blobs."""

    labels = HF_LABELS
    network: Network
    experts: list[object] = []

    def __init__(self) -> None:
        backbone = SimpleNamespace(image_size=[256, 192], num_experts=6)
        labels = dict(enumerate(self.labels))
        self.config = SimpleNamespace(id2label=labels, num_labels=len(labels), backbone_config=backbone)

    @classmethod
    def from_pretrained(cls, source: str, local_files_only: bool) -> _Checkpoint:
        assert local_files_only, "nothing may be downloaded behind the user's back"
        if not (Path(source) / "config.json").is_file():
            raise OSError(f"{source} holds no config.json\nand more")
        return cls()

    def eval(self) -> _Checkpoint:
        return self

    def __call__(self, pictures, dataset_index):
        import torch

        type(self).experts.append(dataset_index.tolist())
        return SimpleNamespace(heatmaps=torch.from_numpy(self.network.run(pictures.numpy())[0]))


@pytest.fixture
def checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> type[_Checkpoint]:
    """A module called transformers with the one class, and a folder with a checkpoint named by V2R_VITPOSE."""
    module = ModuleType("transformers")
    module.__spec__ = SimpleNamespace(name="transformers")  # type: ignore[assignment]
    module.VitPoseForPoseEstimation = _Checkpoint  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "transformers", module)
    monkeypatch.setattr(_Checkpoint, "experts", [])
    monkeypatch.setattr(
        _Checkpoint, "network", Network(networks.save_heatmaps(tmp_path / "h.onnx", 17, (192, 256))), raising=False
    )
    folder = tmp_path / "vitpose-plus-mine"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    monkeypatch.setenv("V2R_VITPOSE", str(folder))
    return _Checkpoint


def test_vitpose_through_transformers_uses_the_expert_for_people(checkpoint: type[_Checkpoint]) -> None:
    backend = choose_backend("person", "vitpose").backend
    picture = networks.picture_with_blobs((640, 360), POINTS[:17])
    xy, _ = backend.see(picture, np.stack([BOX, BOX]))
    assert backend.name == "ViTPose vitpose-plus-mine (transformers)"
    assert set(backend.names) == set(COCO_PERSON) & set(backend.names) and "left_ankle" in backend.names
    _close(backend, xy, HF_LABELS, within_px=3.0)
    assert checkpoint.experts == [[0, 0]]


def test_a_checkpoint_for_people_is_not_taken_for_animals(checkpoint: type[_Checkpoint]) -> None:
    with pytest.raises(MissingPart, match="none of a quadruped"):
        choose_backend("quadruped", "vitpose")


def test_a_checkpoint_for_animals_uses_their_expert(
    checkpoint: type[_Checkpoint], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoint, "labels", list(AP10K))
    backend = choose_backend("quadruped", "vitpose").backend
    backend.see(np.zeros((50, 50, 3), np.uint8), BOX[None])
    assert checkpoint.experts == [[3]] and "left_hind_paw" in backend.names


def test_a_broken_checkpoint_is_named(checkpoint: type[_Checkpoint], tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "empty").mkdir()
    monkeypatch.setenv("V2R_VITPOSE", str(tmp_path / "empty"))
    with pytest.raises(MissingPart, match="cannot be loaded .*holds no config.json\\)"):
        choose_backend("person", "vitpose")


def test_without_transformers_or_a_checkpoint_the_cure_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(MissingPart, match="models pull vitpose-apt36k"):
        choose_backend("quadruped", "vitpose")
    monkeypatch.setitem(sys.modules, "transformers", None)
    monkeypatch.setattr(vitpose.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingPart, match=r"video2reward\[vitpose\]"):
        choose_backend("person", "vitpose")


def test_the_class_of_transformers_itself_fits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    transformers = pytest.importorskip("transformers")
    backbone = transformers.VitPoseBackboneConfig(
        image_size=[64, 48], hidden_size=32, num_hidden_layers=2, num_attention_heads=2, mlp_ratio=2, num_experts=6,
        part_features=8, out_features=["stage2"],
    )  # fmt: skip
    config = transformers.VitPoseConfig(backbone_config=backbone, num_labels=17, id2label=dict(enumerate(HF_LABELS)))
    transformers.VitPoseForPoseEstimation(config).save_pretrained(tmp_path / "tiny")
    monkeypatch.setenv("V2R_VITPOSE", str(tmp_path / "tiny"))
    backend = choose_backend("person", "vitpose").backend
    xy, confidence = backend.see(np.zeros((90, 90, 3), np.uint8), BOX[None])
    assert xy.shape == (1, 13, 2) and confidence.shape == (1, 13)


@dataclass
class _Model:
    """What MMPoseInferencer builds, as far as it is used."""

    dataset_meta: dict[str, dict[int, str]]


class _Inferencer:
    """mmpose's MMPoseInferencer as far as it is used."""

    points: dict[str, list[str]] = {"body26": list(HALPE26), "animal": MM_AP10K}

    def __init__(self, pose2d: str, det_model: str, device: str) -> None:
        assert det_model == "whole_image", "mmdet is not to be needed"
        if pose2d not in self.points:
            raise RuntimeError("no weights\nfor this")
        self.inferencer = SimpleNamespace(model=_Model({"keypoint_id2name": dict(enumerate(self.points[pose2d]))}))


def _inference_topdown(
    model: _Model, picture: np.ndarray, boxes: np.ndarray, bbox_format: str
) -> list[SimpleNamespace]:
    """Find each point's blob by its colour, in BGR, anywhere in the box's corners."""
    assert bbox_format == "xyxy" and picture.flags.c_contiguous
    samples = []
    for left, top, right, bottom in boxes.astype(int):
        crop = picture[top:bottom, left:right]
        places = []
        for colour in networks.COLOURS[: len(model.dataset_meta["keypoint_id2name"])]:
            rows, columns = np.nonzero((crop == colour[::-1]).all(-1))
            places.append([left + columns.mean(), top + rows.mean()])
        scores = np.full((1, len(places)), 1.2)  # SimCC's maxima go a little above 1
        found = SimpleNamespace(keypoints=np.array([places]), keypoint_scores=scores)
        samples.append(SimpleNamespace(pred_instances=found))
    return samples


@pytest.fixture
def with_mmpose(monkeypatch: pytest.MonkeyPatch) -> type[_Inferencer]:
    package, apis = ModuleType("mmpose"), ModuleType("mmpose.apis")
    package.__spec__ = SimpleNamespace(name="mmpose")  # type: ignore[assignment]
    apis.MMPoseInferencer, apis.inference_topdown = _Inferencer, _inference_topdown  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "mmpose", package)
    monkeypatch.setitem(sys.modules, "mmpose.apis", apis)
    return _Inferencer


@pytest.mark.parametrize("skeleton", ["person", "quadruped"])
def test_mmpose_is_used_where_the_user_has_it(with_mmpose: type[_Inferencer], skeleton: str) -> None:
    choice = choose_backend(skeleton)  # type: ignore[arg-type]
    assert choice.backend.name == f"mmpose {'body26' if skeleton == 'person' else 'animal'}"
    assert any(said.startswith("rtmpose: the model file") for said in choice.passed_over)
    source = list(HALPE26) if skeleton == "person" else MM_AP10K
    xy, confidence = choice.backend.see(networks.picture_with_blobs((640, 360), POINTS), BOX[None])
    _close(choice.backend, xy, source, within_px=1.0)
    assert (confidence == 1.0).all()
    assert choice.backend.see(np.zeros((9, 9, 3), np.uint8), np.empty((0, 4)))[0].shape[0] == 0


def test_an_mmpose_that_does_not_work_is_passed_over_in_a_sentence(
    with_mmpose: type[_Inferencer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(with_mmpose, "points", {})
    with pytest.raises(MissingPart, match="mmpose cannot load its model body26 \\(no weights\\)"):
        choose_backend("person", "mmpose")


def test_where_nothing_is_here_each_backend_says_what_it_lacks() -> None:
    with pytest.raises(MissingPart) as caught:
        choose_backend("person")
    for name in ("rtmpose:", "vitpose:", "mmpose: mmpose is not installed"):
        assert name in caught.value.what
    assert "models pull rtmpose-halpe26" in caught.value.cure


def test_animals_have_the_network_in_the_package_and_hear_what_would_be_better() -> None:
    choice = choose_backend("quadruped")
    assert choice.backend.name.startswith("QuadNet")
    better = [said.split(":")[0] for said in choice.passed_over]
    assert better == ["rtmpose", "vitpose-onnx", "vitpose", "mmpose"]


def test_people_fall_back_to_blazepose_and_animals_to_nothing(bare: Path) -> None:
    assert watcher_names("person")[-1] == "blazepose" and "blazepose" not in watcher_names("quadruped")
    with pytest.raises(MissingPart, match="pose_landmarker_full.task"), open_watcher("person"):
        pass
    with pytest.raises(MissingPart, match="models pull yolox-s"), open_watcher("quadruped"):
        pass
    with pytest.raises(BadInput, match="rtmpose"), open_watcher("person", "openpose"):
        pass


def test_a_detector_and_a_backend_that_are_here_make_a_watcher(bare: Path, tmp_path: Path) -> None:
    from video2reward.tools.models import add

    add("yolox-tiny", networks.save_yolox(tmp_path / "y.onnx", {0: (250, 20, 20)}, (416, 416)))
    add("rtmpose-halpe26", networks.save_simcc(tmp_path / "h.onnx", 26, (192, 256)))
    with open_watcher("person") as watcher:
        assert watcher.name == "RTMPose Halpe26 (onnxruntime) in boxes by YOLOX-tiny (onnxruntime)"


def test_animals_have_a_better_watcher_once_its_files_are_here(bare: Path, tmp_path: Path) -> None:
    from video2reward.tools.models import add

    assert better_animal_watcher() is None
    add("yolox-s", networks.save_yolox(tmp_path / "y.onnx", {16: (250, 20, 20)}, (640, 640)))
    assert better_animal_watcher() is None  # boxes alone are no points
    add("rtmpose-ap10k", networks.save_simcc(tmp_path / "a.onnx", 17, (256, 256)))
    watcher = better_animal_watcher()
    assert watcher is not None
    assert watcher.name == "RTMPose AP-10K (onnxruntime) in boxes by YOLOX-s (onnxruntime)"
