"""Parcels that this hub has received: each once."""

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from labkit.case import now
from labkit.errors import InputError
from labkit.printing.hubs.tables import RECEIVED_PARCELS, transaction


@contextmanager
def received_once(
    parcel_id: str, from_hub: str, case_code: str, gcode_sha256: str
) -> Iterator[None]:
    """Write down a parcel, together with what is done inside; if that fails, it was not received.

    Raises
    ------
    InputError
        It was received before.
    StorageError
        The register cannot be written.
    """
    row = {
        "parcel_id": parcel_id,
        "at": now(),
        "from_hub": from_hub,
        "case_code": case_code,
        "gcode_sha256": gcode_sha256,
    }
    try:
        with transaction() as connection:
            connection.execute(RECEIVED_PARCELS.insert().values(row))
            yield
    except IntegrityError as error:
        raise InputError(
            f"this parcel was received already, {_when(parcel_id)}",
            expected="each attempt at a print once",
            where=f"{case_code}, from {from_hub}",
            fix="use the folder it was opened into; to print again the sender raises the "
            "attempt, after a person has looked",
        ) from error


def _when(parcel_id: str) -> str:
    asked = sa.select(RECEIVED_PARCELS.c.at).where(RECEIVED_PARCELS.c.parcel_id == parcel_id)
    with transaction() as connection:
        return str(connection.execute(asked).scalar())
