"""The model file for people: how it is made, found and checked."""

from __future__ import annotations

import os
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
from video2reward.memory.errors import BadInput, MissingPart
from video2reward.tools import models
from video2reward.tools.pose.tflite_metadata import NotTFLite, has_metadata, with_normalisation


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("V2R_POSE_TASK", raising=False)
    return tmp_path / "cache" / "video2reward" / "models" / "pose_landmarker_full.task"


def _tiny_tflite() -> bytes:
    """Return the least file that has a TFLite model's root table: version and empty vectors."""
    vtable = struct.pack("<HH7H", 18, 32, 4, 8, 12, 16, 20, 24, 28)
    root = 8 + 20
    fields = [3, *(28 - 4 * (index + 1) + 4 * index for index in range(6))]
    body = vtable + b"\0\0" + struct.pack("<i", 20) + struct.pack("<7I", *fields)
    return struct.pack("<I", root) + b"TFL3" + body + struct.pack("<I", 0) * 8


def test_metadata_is_added_in_front_and_the_rest_stays_byte_for_byte() -> None:
    model = _tiny_tflite()
    extended = with_normalisation(model, 0.0, 255.0, num_outputs=5)
    assert has_metadata(extended) and not has_metadata(model)
    assert extended.endswith(model[8:])
    assert extended == with_normalisation(model, 0.0, 255.0, num_outputs=5)
    assert np.float32(255.0).tobytes() in extended


def test_what_is_no_tflite_model_is_refused() -> None:
    for content in (b"", b"PK\x03\x04 something", b"\xff\xff\xff\x7fTFL3"):
        with pytest.raises(NotTFLite):
            with_normalisation(content, 0.0, 1.0, num_outputs=1)


def test_without_the_file_the_error_says_what_to_put_where(own_cache: Path) -> None:
    with pytest.raises(MissingPart, match="models pull") as caught:
        models.find_model("blazepose")
    assert str(own_cache) in caught.value.cure
    assert {status.state for status in models.list_models()} == {"missing"}


def test_a_damaged_file_is_not_used(own_cache: Path) -> None:
    own_cache.parent.mkdir(parents=True)
    own_cache.write_bytes(b"half a file")
    with pytest.raises(MissingPart, match="damaged"):
        models.find_model("blazepose")


def test_a_file_named_by_the_user_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    task = tmp_path / "mine.task"
    with zipfile.ZipFile(task, "w") as archive:
        archive.writestr("pose_detector.tflite", b"a")
        archive.writestr("pose_landmarks_detector.tflite", b"b")
    monkeypatch.setenv("V2R_POSE_TASK", str(task))
    assert models.find_model("blazepose") == task
    assert not models.is_known("blazepose", task)
    monkeypatch.setenv("V2R_POSE_TASK", str(tmp_path / "missing.task"))
    with pytest.raises(MissingPart, match="is not there"):
        models.find_model("blazepose")


def test_an_unknown_model_is_answered_with_those_there_are() -> None:
    with pytest.raises(BadInput, match="blazepose"):
        models.pull("yolo")


def test_without_the_index_the_error_says_which_file_to_put_where(
    own_cache: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    with pytest.raises(MissingPart, match="could not be fetched") as caught:
        models.pull("blazepose")
    assert str(own_cache) in caught.value.cure and "models add blazepose FILE" in caught.value.cure
    assert not own_cache.exists()


def test_the_published_networks_are_named_with_their_licence_size_and_sha256() -> None:
    published = [model for model in models.MODELS.values() if model.sources]
    assert {"rtmpose-halpe26", "rtmpose-ap10k", "yolox-s", "yolox-tiny"} <= {model.name for model in published}
    for model in published:
        assert len(model.sha256) == 64 or model.name == "vitpose-apt36k"  # nobody says; it is pinned on first use
        assert model.size_mb > 1 and "Apache-2.0" in model.licence
        assert all(source.url.startswith("https://") for source in model.sources)
    assert len({model.file_name for model in models.MODELS.values()}) == len(models.MODELS)


def test_a_model_without_a_source_asks_for_the_users_own_file() -> None:
    with pytest.raises(MissingPart, match="models add rtmdet FILE"):
        models.pull("rtmdet")


@pytest.mark.slow
def test_the_file_is_fetched_from_the_package_index_and_verified(own_cache: Path) -> None:
    try:
        assert models.pull("blazepose") == own_cache
    except MissingPart as error:
        pytest.skip(f"NO PACKAGE INDEX HERE: {error}")
    assert models.find_model("blazepose") == own_cache
    assert models.list_models()[0].path == own_cache
