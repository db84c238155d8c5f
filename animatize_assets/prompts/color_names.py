"""Words for colours: the nearest of a small table, by distance in CIELAB.

Belongs here: sRGB to CIELAB and the nearest name. Does not belong here: the table (it is data in
``templates.yaml``), or which colours matter (``scene``).
"""

from __future__ import annotations

from collections.abc import Mapping

Lab = tuple[float, float, float]

_WHITE_D65 = (0.95047, 1.0, 1.08883)
_EPSILON = 216 / 24389
_KAPPA = 24389 / 27


def lab_of(hex_color: str) -> Lab:
    """``#rrggbb`` in sRGB as CIELAB (D65), after IEC 61966-2-1 and CIE 15:2004."""
    r, g, b = (_linear(int(hex_color[i : i + 2], 16) / 255) for i in (1, 3, 5))
    xyz = (
        0.4124564 * r + 0.3575761 * g + 0.1804375 * b,
        0.2126729 * r + 0.7151522 * g + 0.0721750 * b,
        0.0193339 * r + 0.1191920 * g + 0.9503041 * b,
    )
    fx, fy, fz = (_compressed(value / white) for value, white in zip(xyz, _WHITE_D65, strict=True))
    return 116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)


def _linear(value: float) -> float:
    return value / 12.92 if value <= 0.04045 else float(((value + 0.055) / 1.055) ** 2.4)


def _compressed(value: float) -> float:
    return float(value ** (1 / 3)) if value > _EPSILON else (_KAPPA * value + 16) / 116


def nearest_name(hex_color: str, table: Mapping[str, str]) -> str:
    """Name in ``table`` whose colour is nearest (CIE76); the earlier of two equally near."""
    wanted = lab_of(hex_color)
    return min(
        table,
        key=lambda name: sum(
            (a - b) ** 2 for a, b in zip(wanted, lab_of(table[name]), strict=True)
        ),
    )
