"""The lab's database: a SQLite file in its own folder, or a server that several machines share."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError, DatabaseError, IntegrityError, NoSuchModuleError

from labkit.errors import InputError, StorageError
from labkit.home import home_folder


def database() -> sa.Engine:
    """The lab's database: ``LABKIT_DATABASE_URL``, else ``register.sqlite`` in its folder.

    Raises
    ------
    InputError
        The address is not one of a database, or its driver is not installed.
    """
    default = f"sqlite:///{home_folder() / 'register.sqlite'}"
    try:
        url = sa.make_url(os.environ.get("LABKIT_DATABASE_URL") or default)
        lite = url.get_backend_name() == "sqlite"
        engine = sa.create_engine(
            url, poolclass=sa.NullPool, connect_args={"timeout": 30} if lite else {}
        )
    except (ArgumentError, NoSuchModuleError, ModuleNotFoundError) as error:
        raise InputError(
            f"LABKIT_DATABASE_URL cannot be used ({type(error).__name__})",
            expected="sqlite:///FILE, or postgresql+DRIVER://… with its driver installed",
            where="LABKIT_DATABASE_URL",
            fix="correct it, or unset it to use the register in the lab's own folder",
        ) from error
    if lite:
        sa.event.listen(engine, "connect", _prepare_sqlite)
        sa.event.listen(engine, "begin", _begin_immediately)
    return engine


@contextmanager
def transaction(engine: sa.Engine) -> Iterator[sa.Connection]:
    """A transaction of the lab's database, whole or not at all.

    Raises
    ------
    sqlalchemy.exc.IntegrityError
        What is written contradicts what is there.
    StorageError
        The database does not answer or cannot be written.
    """
    try:
        with engine.begin() as connection:
            yield connection
    except IntegrityError:
        raise
    except DatabaseError as error:
        raise StorageError(
            f"the register cannot be used ({type(error.orig).__name__})",
            expected="a database that answers and can be written",
            where=engine.url.render_as_string(hide_password=True),
            fix="check the disk, the folder's permissions, or the database server",
        ) from error


def _prepare_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # the driver must not begin transactions of its own
    # The journal stays SQLite's own: a change to WAL by two at once fails without waiting.
    connection.execute("PRAGMA synchronous=EXTRA")  # a commit outlives a power cut
    connection.execute("PRAGMA foreign_keys=ON")


def _begin_immediately(connection: sa.Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")
