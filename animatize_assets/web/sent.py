"""How what a client sends is read: strictly, and no stricter than its schema says.

Belongs here: what all models of requests share. Does not belong here: any model.
"""

from __future__ import annotations

from pydantic import BaseModel, BeforeValidator, ConfigDict


class Sent(BaseModel):
    """Something a client sends: a number is a number, and what is not known is refused."""

    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)


def _whole(value: object) -> object:
    """JSON knows one kind of number: to it, and to JSON Schema, 5.0 is an integer."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


AS_WHOLE = BeforeValidator(_whole)
"""Behind the constraints of an integer, which are then in its schema:
``Annotated[int, Field(ge=1), AS_WHOLE]``."""
