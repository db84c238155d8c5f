"""Examples of answers, for ``/openapi.json``; a test holds each against its schema.

Belongs here: examples of answers made of many parts, by the name of their schema. Does not belong
here: those that stand beside their model (``routes``), any model.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

_KEY = "lighthouse-0f3c1a9b5d7e2468"
_RUN = "b1f9d7c2-6f43-4a39-8a52-1f0f3f1f4f10"
ALERT: Final[Mapping[str, Any]] = {
    "id": 7,
    "alert_type": "slow_generation",
    "severity": "high",
    "message": "Clips take 412 s, more than 300 s.",
    "details": {"pipeline_type": "video"},
    "threshold_value": 300.0,
    "actual_value": 412.0,
    "is_resolved": False,
    "created_at": "2026-11-25T10:30:00Z",
    "resolved_at": None,
    "fingerprint": "5d41402abc4b2a76b9719d911017c592",
    "occurrences": 3,
    "last_seen_at": "2026-11-25T10:31:00Z",
    "resolved_by": None,
    "runbook": "docs/runbook.md#animatizepicturesslow",
}
_QUEUEING = {
    "type": "high_queue_time",
    "severity": 0.62,
    "affected_jobs": 48,
    "description": "Jobs wait 64 s on average before work begins.",
    "metrics": {"mean_queue_seconds": 64.0},
    "recommendations": ["Start a second worker from 09:00 to 17:00 UTC."],
}
_IMAGE_NOW = {"state": "complete", "reason": None, "run_id": _RUN}
_FILE = {
    "image_key": _KEY,
    "original_name": "Lighthouse.jpg",
    "format": "jpeg",
    "byte_count": 812_345,
    "width": 1920,
    "height": 1080,
    "registered_at": "2026-05-04T12:00:00Z",
}

EXAMPLES: Final[Mapping[str, Mapping[str, Any]]] = {
    "Alerts": {"alerts": [ALERT], "total_count": 1, "next_cursor": None},
    "Resolved": {
        "message": "Alert 7 is resolved.",
        "alert": {
            **ALERT,
            "is_resolved": True,
            "resolved_at": "2026-11-25T11:00:00Z",
            "resolved_by": "studio",
        },
    },
    "WeeklyReport": {
        "week_start": "2026-11-16",
        "week_end": "2026-11-22",
        "total_jobs": 310,
        "total_generation_time": 45_120.5,
        "avg_generation_time": 151.9,
        "success_rate": 0.96,
        "top_bottlenecks": [_QUEUEING],
        "performance_trends": [
            {
                "date": "2026-11-16",
                "pipeline_type": "video",
                "avg_generation_time": 187.2,
                "median_generation_time": 180.4,
                "success_rate": 0.95,
                "total_jobs": 40,
                "bottlenecks": ["high_queue_time"],
                "recommendations": ["Start a second worker from 09:00 to 17:00 UTC."],
            }
        ],
        "predictions_accuracy": {"video": 0.81},
    },
    "Models": {
        "models": [
            {
                "model_name": "video_time_estimator",
                "model_type": "random_forest",
                "pipeline_type": "video",
                "accuracy_score": 0.82,
                "mean_absolute_error": 14.2,
                "training_data_count": 412,
                "last_trained_at": "2026-11-24T03:00:00Z",
                "is_active": True,
                "version": "3",
                "interval_coverage": 0.79,
                "baseline_accuracy": 0.61,
                "promotion_note": "It is better than the one before.",
            }
        ],
        "total_models": 1,
    },
    "TrainingStarted": {
        "message": "Training of video estimators has started.",
        "run_ids": {"video": _RUN},
    },
    "Dashboard": {
        "system_status": {
            "jobs_24h": 120,
            "avg_generation_time": 96.4,
            "success_rate_24h": 0.97,
            "queued_jobs": 2,
        },
        "bottlenecks": [
            _QUEUEING | {"affected_job_ids": ["render-7f3a"], "expected_gain": 0.2},
        ],
        "optimization_opportunities": [
            {
                "area": "queue",
                "potential_improvement": 0.2,
                "saves": "time",
                "effort_required": "medium",
                "description": "Jobs wait 64 s on average before work begins.",
                "implementation_steps": ["Start a second worker from 09:00 to 17:00 UTC."],
                "expected_impact": "A job is done 64 s earlier on average.",
            }
        ],
    },
    "ImageList": {
        "images": [
            _FILE
            | _IMAGE_NOW
            | {"provider": "local", "movement": "push_in", "updated_at": "2026-05-04T12:01:36Z"}
        ],
        "next_cursor": None,
        "counts": {"complete": 1},
    },
    "ImageDetail": {
        "image_key": _KEY,
        **_IMAGE_NOW,
        "state": "in_progress",
        "source_image": _FILE
        | {
            "sha256": "0f3c1a9b5d7e2468" * 4,
            "aliases": [],
            "source_mode": "RGB",
            "exif_orientation": 1,
            "has_icc_profile": False,
            "flattened_alpha": False,
            "frame_count": 1,
            "original_path": f"images/{_KEY}/original.jpg",
            "normalized_path": f"images/{_KEY}/normalized.png",
        },
        "scene_analysis": None,
        "movement_prediction": None,
        "motion_prompt": None,
        "generated_picture": None,
        "animatic_clip": None,
        "links": {
            "source": f"/api/images/{_KEY}/source",
            "thumbnail": f"/api/images/{_KEY}/thumbnail",
            "overlay": None,
            "depth": None,
            "picture": None,
            "picture_thumbnail": None,
            "preview": None,
            "clip": None,
            "composition": None,
            "pictures": f"/api/images/{_KEY}/pictures",
        },
    },
    "Rated": {"image_key": _KEY, "rating": 5, "jobs": [f"{_RUN}/{_KEY}/animatic_clip"]},
    "RunEstimate": {
        "images": 40,
        "concurrency": 1,
        "seconds": 96.0,
        "interval_80": [71.0, 130.0],
        "stages": {
            "animatic_clip": {
                "seconds": 80.0,
                "prediction_method": "ml_model",
                "learned_from": 412,
            }
        },
        "learned_from": 120,
        "prediction_method": "ml_model",
        "notes": [],
    },
    "Quote": {
        "pictures": 40,
        "expected_served": 6.0,
        "expected_usd": 1.42,
        "low_usd": 1.21,
        "high_usd": 1.68,
        "why_unknown": None,
        "providers": [
            {
                "provider": "openai",
                "pictures": 40,
                "kept": 0,
                "expected_served": 6.0,
                "expected_calls": 34.6,
                "expected_usd": 1.42,
                "low_usd": 1.21,
                "high_usd": 1.68,
                "deliveries_measured": 212,
            }
        ],
        "expected_seconds": 148.0,
    },
    "Session": {"name": "studio", "scope": "write"},
    "TrainingRequest": {"pipeline_type": "video"},
}
