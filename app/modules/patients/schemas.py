"""Patient records on the wire."""

from __future__ import annotations

from pydantic import Field

from app.core.wire import Id, WireInput, WireModel


class Patient(WireModel):
    id: str
    name: str
    user_id: str | None = Field(description="The account whose own record this is.")
    unit: str | None = Field(None, description="The unit (ward) that the patient lies on.")


class PatientPage(WireModel):
    """A page of patients, by id; ask again with `cursor=nextCursor` for those that follow."""

    patients: list[Patient]
    next_cursor: str | None


class NewPatient(WireInput):
    id: Id = Field(examples=["P1"])
    name: str | None = Field(None, description="The id when it is left out.")
    user_id: Id | None = Field(None, description="The account whose own record this is.")
    unit: Id | None = Field(None, description="The unit (ward) that the patient lies on.", examples=["ward-2"])


class PatientChanges(WireInput):
    """What is left out stays as it is."""

    name: str | None = None
    unit: Id | None = Field(None, description="The unit that the patient moves to; null for none.")
