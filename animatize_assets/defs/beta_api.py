"""Every beta API of Dagster that this project uses: here, and nowhere else.

A beta API may change with a minor version. What is listed is known and watched by a test; Dagster's
warning about it would tell a user nothing. Belongs here: the list, and leave to use what is in it.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from dagster_shared.utils.warnings import BetaWarning

BETA_API = (
    # Conditions of our own are evaluated where our code is (stale_results).
    r"Parameter `use_user_code_server` of initializer `AutomationConditionSensorDefinition.",
)
"""How Dagster's warning about each begins."""


@contextmanager
def listed_beta_api() -> Iterator[None]:
    """Use what is listed without a warning; a warning about anything else comes through."""
    with warnings.catch_warnings():
        for listed in BETA_API:
            warnings.filterwarnings("ignore", listed, BetaWarning)
        yield
