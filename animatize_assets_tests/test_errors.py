from __future__ import annotations

import pickle
from collections.abc import Iterator

import pytest

from animatize_assets import errors
from animatize_assets.errors import IMAGE_REFUSALS, AnimatizeError, InvalidImage, ProviderError


def classes(root: type[AnimatizeError] = AnimatizeError) -> Iterator[type[AnimatizeError]]:
    """Every class of the tree that ``errors.py`` itself declares."""
    for child in root.__subclasses__():
        if child.__module__ == errors.__name__:
            yield child
            yield from classes(child)


# Clients compare codes: one that is here may be added to, never changed.
CODES = {
    "AnimatizeError": "animatize_error",
    "ImageNotFound": "image_not_found",
    "InvalidSetting": "invalid_setting",
    "InvalidRule": "invalid_rule",
    "ImpossibleCameraPath": "impossible_camera_path",
    "RenderingFailed": "rendering_failed",
    "StorageFailed": "storage_failed",
    "NotConfigured": "not_configured",
    "ProviderError": "provider_error",
    "BudgetExceeded": "budget_exceeded",
    "OrchestrationFailed": "orchestration_failed",
    "DiskNearlyFull": "disk_nearly_full",
}
REFUSALS = {
    "image_missing",
    "image_not_a_file",
    "image_unreadable",
    "image_empty",
    "image_too_many_bytes",
    "image_format_unsupported",
    "image_header_corrupt",
    "image_too_many_pixels",
    "image_too_small",
    "image_body_corrupt",
}


def test_the_drawn_tree_is_the_tree() -> None:
    drawn = [
        line.replace("├── ", "").replace("└── ", "").split()[0]
        for line in (errors.__doc__ or "").splitlines()
        if line.startswith(("    ├── ", "    └── ")) or line.strip() == AnimatizeError.__name__
    ]
    assert drawn == [AnimatizeError.__name__, *(child.__name__ for child in classes())]


def test_every_class_says_what_it_is_and_has_its_own_code() -> None:
    own_codes = [child.code for child in classes() if child is not InvalidImage]
    assert len(set(own_codes)) == len(own_codes)
    assert all(child.__doc__ for child in classes())
    assert not set(own_codes) & set(IMAGE_REFUSALS)


def test_codes_are_stable() -> None:
    now = {child.__name__: child.code for child in (AnimatizeError, *classes())}
    assert {name: now.get(name) for name in CODES} == CODES
    assert set(IMAGE_REFUSALS) >= REFUSALS
    assert all(IMAGE_REFUSALS.values())


def test_an_image_is_refused_only_with_a_known_code() -> None:
    assert InvalidImage("Too small.", code="image_too_small").code == "image_too_small"
    with pytest.raises(ValueError, match="image_ugly"):
        InvalidImage("Ugly.", code="image_ugly")


def test_errors_survive_the_way_to_another_process() -> None:
    refused = pickle.loads(pickle.dumps(InvalidImage("It is empty.", code="image_empty")))
    assert (refused.message, refused.code) == ("It is empty.", "image_empty")
    plain = pickle.loads(pickle.dumps(errors.StorageFailed("The disk is full.")))
    assert (type(plain), plain.message) == (errors.StorageFailed, "The disk is full.")


def test_a_provider_says_what_kind_of_failure_it_is() -> None:
    error = ProviderError("It is busy.", kind="rate_limited", retry_after_s=2.5, remote_id="a1")
    again = pickle.loads(pickle.dumps(error))
    assert (again.kind, again.retry_after_s, again.remote_id) == ("rate_limited", 2.5, "a1")
    assert (str(again), again.billed_usd) == ("It is busy.", 0.0)
    with pytest.raises(ValueError, match="FAILURE_KINDS"):
        ProviderError("It is odd.", kind="odd")
