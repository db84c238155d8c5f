"""Sums of products that are the same to the last digit on any number of threads.

numpy's ``@`` hands arrays to BLAS, which splits a sum among its threads, so that the order of
additions, and with it the last digits, depends on how many there are. ``einsum`` adds in one order.

Belongs here: the two products that this room needs. Does not belong here: anything that measures.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def dot(a: NDArray[Any], b: NDArray[Any]) -> float:
    """Sum of the products of two vectors."""
    return float(np.einsum("i,i->", a, b))


def times(matrix: NDArray[Any], other: NDArray[Any]) -> NDArray[Any]:
    """Matrix times vector, or matrix times matrix."""
    indices = "ij,j->i" if other.ndim == 1 else "ij,jk->ik"
    return np.asarray(np.einsum(indices, matrix, other))
