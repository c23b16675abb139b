"""Which model files there are: for what, from where, under which licence.

Where publishers give no sha256, it is the one that those who pin the same file agree on; "" where nobody does.
"""

from __future__ import annotations

from dataclasses import dataclass

from video2reward.tools.fetch import Source


@dataclass(frozen=True)
class ModelFile:
    """A file that can be had.

    `sha256` is what the published one has, "" where nobody says; `same` are files known to do the same. Without
    `sources` it comes out of mediapipe's wheel, or from the user alone. `env` names a variable that points to a file.
    """

    name: str
    file_name: str
    purpose: str
    licence: str
    size_mb: float
    sha256: str
    sources: tuple[Source, ...] = ()
    same: tuple[str, ...] = ()
    env: str = ""


_OPENMMLAB = "https://download.openmmlab.com/mmpose/v1/projects/rtmposev1/onnx_sdk"
_YOLOX = "https://github.com/Megvii-BaseDetection/YOLOX/releases/download/0.1.1rc0"
_HUGGINGFACE = "https://huggingface.co"

BLAZEPOSE = ModelFile(
    name="blazepose",
    file_name="pose_landmarker_full.task",
    purpose="people: 33 points of the body, with its own boxes",
    licence="Apache-2.0",
    size_mb=9.4,
    sha256="e5287c7eefada9131a5cff40973975de8f4aeca3df00ae71b20783d4b9f2a7fc",
    same=("245fac96ee28477cc0e6195d2fda4b6159dbed80d922cf4ca8502929be647ba4",),
    env="V2R_POSE_TASK",
)
HALPE26 = ModelFile(
    name="rtmpose-halpe26",
    file_name="rtmpose-m_halpe26_256x192.onnx",
    purpose="people: 26 points of the body, heels and toes",
    licence="Apache-2.0",
    size_mb=55.7,
    sha256="26f3a19e61304a600dfb82d1001d41d24343b89fc70a33ffc84657e0b0bf2ecf",
    sources=(
        Source(
            f"{_OPENMMLAB}/rtmpose-m_simcc-body7_pt-body7-halpe26_700e-256x192-4d3e73dd_20230605.zip", "end2end.onnx"
        ),
    ),
)
AP10K = ModelFile(
    name="rtmpose-ap10k",
    file_name="rtmpose-m_ap10k_256x256.onnx",
    purpose="animals: 17 points of AP-10K",
    licence="Apache-2.0, data CC BY 4.0",
    size_mb=54.5,
    sha256="1cfd1c86e0d9e5d5f95178bcd95ee9a4e8386a624cd3c57519f27ff58cac7f28",
    sources=(
        Source(f"{_OPENMMLAB}/rtmpose-m_simcc-ap10k_pt-aic-coco_210e-256x256-7a041aa1_20230206.zip", "end2end.onnx"),
        Source(f"{_HUGGINGFACE}/hr16/UnJIT-DWPose/resolve/main/rtmpose-m_ap10k_256.onnx"),
        Source(
            f"{_HUGGINGFACE}/bdsqlsz/qinglong_controlnet-lllite/resolve/main/Annotators/"
            "rtmpose-m_simcc-ap10k_pt-aic-coco_210e-256x256-7a041aa1_20230206.onnx"
        ),
    ),
)
VITPOSE = ModelFile(
    name="vitpose-apt36k",
    file_name="vitpose-s_apt36k.onnx",
    purpose="animals: 17 points of APT-36K, by ViTPose",
    licence="Apache-2.0",
    size_mb=97.0,
    sha256="",
    sources=(Source(f"{_HUGGINGFACE}/JunkyByte/easy_ViTPose/resolve/main/onnx/apt36k/vitpose-s-apt36k.onnx"),),
)
YOLOX_S = ModelFile(
    name="yolox-s",
    file_name="yolox_s.onnx",
    purpose="boxes of people and animals, the surer detector",
    licence="Apache-2.0",
    size_mb=35.9,
    sha256="c5c2d13e59ae883e6af3b45daea64af4833a4951c92d116ec270d9ddbe998063",
    sources=(
        Source(f"{_YOLOX}/yolox_s.onnx"),
        Source(
            "https://media.githubusercontent.com/media/opencv/opencv_zoo/main/models/object_detection_yolox/"
            "object_detection_yolox_2022nov.onnx"
        ),
        Source(f"{_HUGGINGFACE}/Heliosoph/yolox-onnx/resolve/main/yolox_s.onnx"),
    ),
)
YOLOX_TINY = ModelFile(
    name="yolox-tiny",
    file_name="yolox_tiny.onnx",
    purpose="boxes of people and animals, the faster detector",
    licence="Apache-2.0",
    size_mb=20.2,
    sha256="427cc366d34e27ff7a03e2899b5e3671425c262ea2291f88bb942bc1cc70b0f7",
    sources=(Source(f"{_YOLOX}/yolox_tiny.onnx"),),
)
RTMDET = ModelFile(
    name="rtmdet",
    file_name="rtmdet.onnx",
    purpose="boxes: an RTMDet that you exported with mmdeploy",
    licence="Apache-2.0",
    size_mb=0.0,
    sha256="",
)
MODELS = {model.name: model for model in (BLAZEPOSE, HALPE26, AP10K, VITPOSE, YOLOX_S, YOLOX_TINY, RTMDET)}
