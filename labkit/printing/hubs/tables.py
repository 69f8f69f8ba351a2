"""The tables of the hubs in the lab's register; lines are added to them and never changed."""

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from labkit.printing import database

_METADATA = sa.MetaData()
HUB_STATES = sa.Table(
    "hub_states",
    _METADATA,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("hub", sa.String(32), nullable=False),
    sa.Column("step", sa.Integer, nullable=False),
    sa.Column("at", sa.String(32), nullable=False),
    sa.Column("by", sa.String(200), nullable=False),
    sa.Column("from_state", sa.String(10), nullable=False),
    sa.Column("to_state", sa.String(10), nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("entry_sha256", sa.String(64), nullable=False),
    sa.Column("terms", sa.JSON, nullable=False),
    sa.UniqueConstraint("hub", "step"),  # of two that change a state at once, one is too late
)
RECEIVED_PARCELS = sa.Table(
    "received_parcels",
    _METADATA,
    sa.Column("parcel_id", sa.String(64), primary_key=True),
    sa.Column("at", sa.String(32), nullable=False),
    sa.Column("from_hub", sa.String(32), nullable=False),
    sa.Column("case_code", sa.String(32), nullable=False),
    sa.Column("gcode_sha256", sa.String(64), nullable=False),
)


def _append_only(table: sa.Table, key: str) -> None:
    """Triggers for SQLite; in PostgreSQL the lab's role is granted INSERT and SELECT alone.

    The one before an insert is for INSERT OR REPLACE, which runs no trigger of a deletion.
    """
    for when, condition in (
        ("UPDATE", "1"),
        ("DELETE", "1"),
        ("INSERT", f"EXISTS (SELECT 1 FROM {table.name} WHERE {key} = NEW.{key})"),
    ):
        trigger = sa.DDL(  # type: ignore[no-untyped-call]
            f"CREATE TRIGGER {table.name}_{when.lower()} BEFORE {when} ON {table.name} "
            f"WHEN {condition} BEGIN SELECT RAISE(ABORT, 'lines are only added'); END"
        )
        sa.event.listen(table, "after_create", trigger.execute_if(dialect="sqlite"))


_append_only(HUB_STATES, "number")
_append_only(RECEIVED_PARCELS, "parcel_id")


@contextmanager
def transaction() -> Iterator[sa.Connection]:
    """A transaction of the lab's database, with the tables of the hubs in it.

    Raises
    ------
    InputError, StorageError
        As `labkit.printing.database`.
    """
    with database.transaction(database.database()) as connection:
        _METADATA.create_all(connection)
        yield connection
