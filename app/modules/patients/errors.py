"""What can be wrong with a patient record."""

from __future__ import annotations

from app.core.errors import AppError


class UnknownPatient(AppError):
    status, code = 404, "unknown_patient"

    def __init__(self) -> None:
        # The id is not repeated: whatever was sent in its place would find its way into logs.
        super().__init__("there is no such patient")


class PatientExists(AppError):
    status, code = 409, "patient_exists"

    def __init__(self, patient_id: str) -> None:
        super().__init__(f"there is a patient {patient_id} already")


class UserHasPatientRecord(AppError):
    status, code = 409, "user_has_patient_record"

    def __init__(self) -> None:
        super().__init__("this user has a patient record already; a person has one")
