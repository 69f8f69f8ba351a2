"""The lab's queue: what is to be printed, kept in its database until a printer has done it.

::

    waiting → taken by one printer → done
       ↑          │        └──────→ held: a person has to look, and then withdraws it
       └──────────┘ given back: it was surely not started

A request is taken by one dispatcher only, and given back only when its job surely never
started.  The file is kept where it lies; its hash is checked again before it is sent.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import sqlalchemy as sa

from labkit.case import now
from labkit.errors import InputError
from labkit.printing.database import database, transaction
from labkit.printing.hubs.fairness import Waiting
from labkit.printing.hubs.suitability import Need

Status = Literal["waiting", "taken", "done", "held", "withdrawn"]

_METADATA = sa.MetaData()
_REQUESTS = sa.Table(
    "print_requests",
    _METADATA,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("case_code", sa.String(32), nullable=False),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("practice", sa.Boolean, nullable=False),
    sa.Column("gcode", sa.Text, nullable=False),
    sa.Column("gcode_sha256", sa.String(64), nullable=False),
    sa.Column("approval", sa.Text, nullable=False),
    sa.Column("material_lot", sa.String(64), nullable=False),
    sa.Column("need", sa.JSON, nullable=False),
    sa.Column("asked_at", sa.String(32), nullable=False),
    sa.Column("asked_by", sa.String(64), nullable=False),
    sa.Column("status", sa.String(10), nullable=False),
    sa.Column("printer", sa.String(64), nullable=False, default=""),
    sa.Column("told", sa.Text, nullable=False, default=""),
    sa.UniqueConstraint("case_code", "attempt", "practice", "gcode_sha256"),
)


@dataclass(frozen=True)
class Request:
    """One print that is asked for.

    Parameters
    ----------
    gcode : the frozen file, with ``gcode.json`` beside it.
    need : what it takes, for the choice of a printer.
    printer : that has taken it; empty while it waits.
    told : the last that is known of it, in words.
    """

    number: int
    case_code: str
    attempt: int
    practice: bool
    gcode: Path
    gcode_sha256: str
    approval: str
    material_lot: str
    need: Need
    asked_at: str
    asked_by: str
    status: Status
    printer: str = ""
    told: str = ""

    @property
    def waiting(self) -> Waiting:
        """As fairness sees it; earlier numbers first among equals."""
        asked = datetime.fromisoformat(self.asked_at)
        return Waiting(f"{self.number:010d}", asked, self.need.priority)


class Queue:
    """The requests of the lab.

    Raises
    ------
    InputError, StorageError
        As `labkit.printing.database`.
    """

    def __init__(self) -> None:
        self._engine = database()
        with transaction(self._engine) as connection:
            _METADATA.create_all(connection)

    def add(
        self,
        *,
        case_code: str,
        attempt: int,
        practice: bool,
        gcode: Path,
        gcode_sha256: str,
        approval: str,
        material_lot: str,
        need: Need,
        asked_by: str,
    ) -> Request:
        """The request in the queue; the same one if it was asked for before.

        Raises
        ------
        InputError
            It was asked for before and has ended.
        """
        row = {
            "case_code": case_code,
            "attempt": attempt,
            "practice": practice,
            "gcode": str(gcode.absolute()),
            "gcode_sha256": gcode_sha256,
            "approval": approval,
            "material_lot": material_lot,
            "need": json.loads(json.dumps(asdict(need), default=_plain)),
            "asked_at": now(),
            "asked_by": asked_by,
            "status": "waiting",
        }
        key = ("case_code", "attempt", "practice", "gcode_sha256")
        same = [_REQUESTS.c[name] == row[name] for name in key]
        try:
            with transaction(self._engine) as connection:
                if connection.execute(sa.select(_REQUESTS.c.number).where(*same)).first() is None:
                    connection.execute(_REQUESTS.insert().values(row))
        except sa.exc.IntegrityError:  # PostgreSQL: another process was quicker
            pass
        found = self._read(*same)[0]
        if found.status in ("done", "held", "withdrawn"):
            raise InputError(
                f"attempt {attempt} of {case_code} is in the queue already: {found.status}",
                expected="an attempt that nobody has asked for yet",
                where=f"request {found.number}. {found.told}",
                fix="look at what became of it; raise the attempt number to print once more",
            )
        return found

    def requests(self, *statuses: Status) -> list[Request]:
        """The requests in these states, or all; oldest first."""
        return self._read(*([_REQUESTS.c.status.in_(statuses)] if statuses else []))

    def one(self, number: int) -> Request:
        """A request by its number.

        Raises
        ------
        InputError
            There is none of that number.
        """
        found = self._read(_REQUESTS.c.number == number)
        if not found:
            raise InputError(
                f"no request {number}",
                expected="a number that `labkit queue list` shows",
                where="the lab's queue",
                fix="check the number, and LABKIT_HOME",
            )
        return found[0]

    def take(self, number: int, printer: str, told: str) -> bool:
        """Give a waiting request to a printer; False if it does not wait any more."""
        return self._move(number, "taken", told, only_from=("waiting",), printer=printer)

    def give_back(self, number: int, told: str) -> bool:
        """Let a taken request wait again, because its job surely never started."""
        return self._move(number, "waiting", told, only_from=("taken",), printer="")

    def take_again(self, number: int) -> bool:
        """Let a held request stay with its printer, which may know more by now."""
        with transaction(self._engine) as connection:
            done = connection.execute(
                _REQUESTS.update()
                .where(_REQUESTS.c.number == number, _REQUESTS.c.status == "held")
                .values(status="taken")
            )
            return done.rowcount == 1

    def close(self, number: int, status: Literal["done", "held"], told: str) -> bool:
        """End a taken request."""
        return self._move(number, status, told, only_from=("taken",))

    def withdraw(self, number: int, told: str) -> bool:
        """Take a request out that waits or is held; False if a printer has it, or it ended."""
        return self._move(number, "withdrawn", told, only_from=("waiting", "held"))

    def tell(self, number: int, told: str) -> None:
        """Write down why a request still waits."""
        self._move(number, "waiting", told, only_from=("waiting",))

    def _move(
        self, number: int, to: Status, told: str, *, only_from: Iterable[Status], **known: str
    ) -> bool:
        with transaction(self._engine) as connection:
            done = connection.execute(
                _REQUESTS.update()
                .where(_REQUESTS.c.number == number, _REQUESTS.c.status.in_(tuple(only_from)))
                .values(status=to, told=" ".join(told.split()), **known)
            )
            return done.rowcount == 1

    def _read(self, *conditions: Any) -> list[Request]:
        asked = sa.select(_REQUESTS).where(*conditions).order_by(_REQUESTS.c.number)
        with transaction(self._engine) as connection:
            rows = [dict(row) for row in connection.execute(asked).mappings()]
        return [
            Request(**{**row, "gcode": Path(row["gcode"]), "need": _need(row["need"])})
            for row in rows
        ]


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"no JSON for {type(value).__name__}")


def _need(told: dict[str, Any]) -> Need:
    due, at = told["due"], told["at_deg"]
    return Need(
        **{
            **told,
            "size_mm": tuple(told["size_mm"]),
            "due": datetime.fromisoformat(due) if due else None,
            "at_deg": tuple(at) if at else None,
        }
    )
