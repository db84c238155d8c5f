from __future__ import annotations

import os
from pathlib import Path

from animatize_assets.pipeline.model_files import digest_of_model_files
from animatize_assets.pipeline.versions import code_versions


def write(path: Path, content: bytes, mtime_s: int) -> Path:
    path.write_bytes(content)
    os.utime(path, (mtime_s, mtime_s))
    return path


def test_without_models_nothing_is_named() -> None:
    assert digest_of_model_files(None, None) == ""
    assert code_versions(scene_models_digest="") == code_versions()


def test_content_decides_and_not_the_name(tmp_path: Path) -> None:
    one, same = (write(tmp_path / name, b"weights", 1) for name in ("a.onnx", "b.onnx"))
    other = write(tmp_path / "c.onnx", b"other weights", 1)
    assert digest_of_model_files(one, None) == digest_of_model_files(same, None)
    assert digest_of_model_files(one, None) != digest_of_model_files(other, None)
    assert digest_of_model_files(one, None) != digest_of_model_files(None, one)


def test_a_file_that_was_changed_is_read_again(tmp_path: Path) -> None:
    path = write(tmp_path / "model.onnx", b"old", 1)
    before = digest_of_model_files(path, None)
    assert digest_of_model_files(path, None) == before
    write(path, b"new", 2)  # as long as before
    assert digest_of_model_files(path, None) != before


def test_a_file_that_is_not_there_is_no_error_and_no_model(tmp_path: Path) -> None:
    absent = tmp_path / "absent.onnx"
    digest = digest_of_model_files(absent, None)
    assert digest == digest_of_model_files(tmp_path / "other.onnx", None)
    assert digest not in ("", digest_of_model_files(write(absent, b"now it is", 1), None))


def test_models_touch_the_version_of_the_scene_analysis_alone() -> None:
    now, other = code_versions(), code_versions(scene_models_digest="depth 0, face none")
    assert [stage for stage in now if now[stage] != other[stage]] == ["scene_analysis"]
