"""Comparing like with like: a job that takes longer because it is larger is not slow.

Belongs here: the work of a job, which jobs are alike, and how much longer some take than like
ones. Does not belong here: why they do (the detectors).

Work is megapixels x frames x steps x pictures of the batch. Time of generation is close to
multiplicative, so everything is done on logarithms: seconds against work, with the exponent
(elasticity) estimated from the jobs by Theil and Sen's slope (Sen, JASA 1968), which a third of
outliers does not move.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

LIKE = ("pipeline_type", "job_type", "provider", "model", "gpu_model", "sampler")
"""Jobs are alike when these agree, and the same parts of the work are known."""

_WORK = ("width", "height", "frame_count", "steps", "batch_size")
_MOST_POINTS = 300
"""Theil and Sen's slope looks at pairs: of more points an even sample is taken."""
_NEIGHBOURS = 7
"""A job is compared with the median of as many like jobs of nearest work."""
_LEAST_NEIGHBOURS = 2
_WIDEST = 2.0
"""Likes may be at most so many times larger or smaller; the rest is not compared."""
_LEAST_SPREAD = 0.05
"""Of log work; below, it tells nothing of the elasticity."""


@dataclass(frozen=True)
class Comparison:
    """How much longer some jobs take than like ones."""

    ratio: float
    """Median of their seconds over what like jobs of equal work take."""
    p_value: float
    """One-sided rank test (Mann and Whitney, 1947) against the spread among the likes."""
    compared: int
    likes: int
    excess: pd.Series[float]
    """Per compared job: log of its seconds over what its likes take."""


def work(jobs: pd.DataFrame) -> pd.Series[float]:
    """Return megapixels x frames x steps x batch; a part that is not known counts as 1."""
    known = jobs[list(_WORK)].astype("float64").fillna(1.0)
    return known.prod(axis=1) / 1e6


def like_groups(jobs: pd.DataFrame, columns: Sequence[str] = LIKE) -> pd.Series[int]:
    """Return a number for each job: alike jobs have the same."""
    import numpy as np
    import pandas as pd

    # By numbers: grouping a table of texts takes many times as long.
    known = jobs[list(_WORK)].notna().to_numpy() @ (1 << np.arange(len(_WORK)))
    number = pd.factorize(known)[0].astype("int64")
    for column in columns:
        codes, values = pd.factorize(jobs[column])  # -1 where nothing is known
        number = pd.factorize(number * (len(values) + 1) + codes + 1)[0]
    return pd.Series(number, index=jobs.index)


def work_seconds(jobs: pd.DataFrame) -> pd.Series[float]:
    """Return the seconds of the work itself: without initialisation and loading a model."""
    before = jobs["initialization_time_seconds"].fillna(0) + jobs["model_load_time_seconds"].fillna(
        0
    )
    rest = jobs["total_time_seconds"] - before
    # Clocks of two phases can add up to a hair more than the total.
    return rest.where(rest > 0)


def log_of(values: pd.Series[float]) -> pd.Series[float]:
    """Return the natural logarithm; NaN where the value is not above 0."""
    import numpy as np
    import pandas as pd

    positive = values.where(values > 0).to_numpy(dtype="float64")
    return pd.Series(np.log(positive), index=values.index)


def elasticity(
    log_seconds: pd.Series[float], log_work: pd.Series[float], groups: pd.Series[int]
) -> float:
    """Return by which power of the work the seconds grow, pooled over the groups, within 0..1.5.

    1 where the work does not vary enough to tell: then it does not matter.
    """
    import numpy as np
    from scipy import stats

    x = (log_work - log_work.groupby(groups).transform("median")).to_numpy()
    y = (log_seconds - log_seconds.groupby(groups).transform("median")).to_numpy()
    usable = np.isfinite(x) & np.isfinite(y)
    x, y = x[usable], y[usable]
    if len(x) > _MOST_POINTS:
        chosen = np.linspace(0, len(x) - 1, _MOST_POINTS).astype(int)
        x, y = x[chosen], y[chosen]
    if len(x) < 3 or float(np.std(x)) < _LEAST_SPREAD:
        return 1.0
    # SciPy's limits of the slope, which nobody asked for, are NaN where few jobs are much alike.
    with np.errstate(invalid="ignore"):
        slope = stats.theilslopes(y, x).slope
    return float(np.clip(slope, 0.0, 1.5))


def longer_than_like(
    jobs: pd.DataFrame,
    seconds: pd.Series[float],
    suspects: pd.Series[bool],
    baseline: pd.Series[bool],
    *,
    columns: Sequence[str] = LIKE,
    least: int = 8,
) -> Comparison | None:
    """Compare the suspects with like baseline jobs of nearly equal work.

    Each suspect is set against the seven like jobs of nearest work, carried to its own work; the
    baseline jobs are set against each other in the same way, and the two sets of log ratios are
    compared by ranks. Where most suspects have no like jobs, because there are many kinds and few
    of each, the effect of each column is estimated by itself instead. None when fewer than
    ``least`` of either side can be compared.
    """
    usable = (seconds > 0) & (suspects | baseline)
    jobs, is_suspect, is_base = jobs[usable], suspects[usable], baseline[usable]
    x, y = log_of(work(jobs)), log_of(seconds[usable])
    against, among = _by_groups(like_groups(jobs, columns), x, y, is_suspect, is_base)
    if len(against) < int(is_suspect.sum()) / 2:
        others = _by_effects(jobs[list(columns)], x, y, is_suspect, is_base)
        if len(others[0]) > len(against):
            against, among = others
    return _compared(against, among, least)


def _compared(against: pd.Series[float], among: pd.Series[float], least: int) -> Comparison | None:
    from scipy import stats

    if min(len(against), len(among)) < least:
        return None
    test = stats.mannwhitneyu(against.to_numpy(), among.to_numpy(), alternative="greater")
    ratio = math.exp(float(against.median()) - float(among.median()))
    return Comparison(ratio, float(test.pvalue), len(against), len(among), against)


_TwoSides = tuple["pd.Series[float]", "pd.Series[float]"]
"""Log ratios of the suspects, and of the baseline jobs among themselves."""


def _by_groups(
    groups: pd.Series[int],
    log_work: pd.Series[float],
    log_seconds: pd.Series[float],
    suspects: pd.Series[bool],
    baseline: pd.Series[bool],
) -> _TwoSides:
    import numpy as np
    import pandas as pd

    power = elasticity(log_seconds, log_work, groups)
    x, y = log_work.to_numpy(dtype="float64"), log_seconds.to_numpy(dtype="float64")
    is_base, is_suspect = baseline.to_numpy(), suspects.to_numpy()
    against, among = np.full(len(x), np.nan), np.full(len(x), np.nan)
    for members in groups.groupby(groups).indices.values():
        of_group = x[members], y[members]
        base, suspect = is_base[members], is_suspect[members]
        against[members[suspect]] = _over_neighbours(*of_group, suspect, base, power)
        among[members[base]] = _over_neighbours(*of_group, base, base, power)
    return (
        pd.Series(against, index=groups.index).dropna(),
        pd.Series(among, index=groups.index).dropna(),
    )


def _by_effects(
    kinds: pd.DataFrame,
    log_work: pd.Series[float],
    log_seconds: pd.Series[float],
    suspects: pd.Series[bool],
    baseline: pd.Series[bool],
) -> _TwoSides:
    """Return residuals of a regression on the kinds and the work, fitted to the baseline.

    Least squares with a ridge penalty of a tenth of one job (kinds may imply each other); the
    residuals of the baseline are those of leaving each job out (Allen's PRESS, 1974).
    """
    import numpy as np
    import pandas as pd

    kinds = kinds.astype("string").fillna("?")
    seen = pd.Series(True, index=kinds.index)
    for column in kinds:
        seen &= kinds[column].isin(kinds[column][baseline].unique())
    dummies = pd.get_dummies(kinds, drop_first=True, dtype="float64")
    centred = log_work - log_work[baseline].median()
    design = np.column_stack([np.ones(len(kinds)), centred, dummies.to_numpy()])
    is_base = baseline.to_numpy()
    fitted, y = design[is_base], log_seconds.to_numpy(dtype="float64")
    if len(fitted) < 2 * design.shape[1]:
        nothing = log_seconds.iloc[:0]
        return nothing, nothing
    penalty = 0.1 * np.eye(design.shape[1])
    penalty[:2, :2] = 0.0
    inverse = np.linalg.pinv(fitted.T @ fitted + penalty)
    effects = inverse @ (fitted.T @ y[is_base])
    left_out = 1 - ((fitted @ inverse) * fitted).sum(axis=1)
    residuals = pd.Series(y - design @ effects, index=kinds.index)
    among = residuals[baseline] / np.maximum(left_out, 0.05)
    return residuals[suspects & seen], among


def _over_neighbours(
    x: NDArray[np.floating[Any]],
    y: NDArray[np.floating[Any]],
    asked: NDArray[np.bool_],
    base: NDArray[np.bool_],
    power: float,
) -> NDArray[np.floating[Any]]:
    """Return y of each asked job over the median of its nearest base jobs, itself left out."""
    import numpy as np

    jobs, order = np.flatnonzero(asked), np.flatnonzero(base)
    found = np.full(len(jobs), np.nan)
    if not len(order):
        return found
    order = order[np.argsort(x[order], kind="stable")]
    window = np.searchsorted(x[order], x[jobs])[:, None] + np.arange(-_NEIGHBOURS, _NEIGHBOURS + 1)
    near = order[window.clip(0, len(order) - 1)]
    distance = np.abs(x[near] - x[jobs, None])
    usable = (window >= 0) & (window < len(order)) & (near != jobs[:, None])
    usable &= distance <= np.log(_WIDEST)
    ranks = np.argsort(np.where(usable, distance, np.inf), axis=1, kind="stable")[:, :_NEIGHBOURS]
    near, usable = np.take_along_axis(near, ranks, 1), np.take_along_axis(usable, ranks, 1)
    carried = np.where(usable, y[near] + power * (x[jobs, None] - x[near]), np.inf)
    carried.sort(axis=1)  # what is not usable comes last
    count, rows = usable.sum(axis=1), np.arange(len(jobs))
    median = (carried[rows, (count - 1) // 2] + carried[rows, count // 2]) / 2
    enough = count >= _LEAST_NEIGHBOURS
    found[enough] = y[jobs[enough]] - median[enough]
    return found
