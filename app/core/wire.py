"""How values look on the wire: camelCase names, ids, times, and texts of bounded length."""

from __future__ import annotations

import secrets
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, StringConstraints
from pydantic.alias_generators import to_camel

from app.core.timestamps import to_utc

#: An id: at most 64 characters that are safe in a path, a header and a log line.
Id = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._:-]{1,64}$")]


def _refuse_unstorable(text: str) -> str:
    if "\x00" in text:
        raise ValueError("must hold no NUL character")
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise ValueError("must hold no half of a surrogate pair")
    return text


#: A text of people. PostgreSQL stores no NUL, and no database what JSON can spell but UTF-8 cannot.
Text = Annotated[str, AfterValidator(_refuse_unstorable)]

#: A time with its offset, kept in UTC.
Timestamp = Annotated[AwareDatetime, AfterValidator(to_utc)]


class WireModel(BaseModel):
    """An answer; a field is described as one that is always there, also where we need not name its value."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        from_attributes=True,
        json_schema_serialization_defaults_required=True,
    )


class WireInput(WireModel):
    """A request body: a field that is not known is a mistake that the sender must hear of."""

    model_config = ConfigDict(
        extra="forbid",
        allow_inf_nan=False,
        hide_input_in_errors=True,
        json_schema_serialization_defaults_required=False,
    )


def new_id() -> str:
    """A random id of 32 hexadecimal digits."""
    return secrets.token_hex(16)
