"""What is set on a page and not accepted yet: kept while the page is drawn anew with it.

::

    <case>/evidence/by-hand/<stage>.draft/draft.json      the values, whatever they are
    <case>/evidence/by-hand/<stage>.draft/strokes.json …  what was made by hand

It lies beside the notebooks that a person works in, since it may name places too.
"""

import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from labkit import accepted
from labkit.case import Case
from labkit.errors import ParameterError
from labkit.files import folder_written_whole, write_whole
from labkit.parameters import is_path

_FILE = "draft.json"


class Draft(BaseModel):
    """The content of ``draft.json``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    since: str = Field(description="the folder with what was decided before it; empty: none")
    minutes: float = Field(ge=0, description="that a person has worked on the stage so far")
    values: dict[str, Any] = Field(description="the stage's parameters as set")


class Stage(Protocol):
    """What is needed of a stage."""

    name: str
    case: Case
    parameters: Any
    minutes_before: float

    @property
    def minutes(self) -> float:
        """How long a person has worked on it."""

    @property
    def made_by_hand(self) -> Sequence[Path]:
        """The files that a person made in it."""

    def take_over(self, hand_made: Iterable[Path], /) -> None:
        """Go on with such files."""

    def require_nothing_left_open(self) -> None:
        """An `InputError` where something is set and not used yet."""

    def as_it_comes(self, values: Mapping[str, Any], /) -> Mapping[str, Any]:
        """What each parameter is where nobody decides."""

    def accept(self, values: dict[str, Any], /) -> str:
        """Take values over."""


def put_by(stage: Stage) -> None:
    """Keep what is set and used on a stage's page, in place of what was kept before.

    Raises
    ------
    InputError
        Something is set and not used yet: it would be lost.
    StorageError
        The case's folder cannot be written.
    """
    stage.require_nothing_left_open()
    draft = Draft(
        since=_decided_last(stage.case, stage.name),
        minutes=stage.minutes,
        values=stage.parameters.model_dump(exclude={"case_dir", "operator"}),
    )
    with folder_written_whole(_place(stage.case, stage.name)) as made:
        for path in stage.made_by_hand:
            shutil.copyfile(path, made / path.name)
        write_whole(made / _FILE, draft.model_dump_json(indent=1) + "\n")
        forget(stage.case, stage.name)


def take_up(stage: Stage) -> str:
    """Go on with what `put_by` kept; in words what that is, or "".

    Nothing of it counts any more once other decisions were accepted or recorded.

    Raises
    ------
    StorageError
        What was made by hand cannot be copied.
    """
    place = _place(stage.case, stage.name)
    try:
        draft = Draft.model_validate_json((place / _FILE).read_bytes())
    except (OSError, ValidationError):
        return ""
    if draft.since != _decided_last(stage.case, stage.name):
        return ""
    try:
        stage.accept(draft.values)
    except ParameterError as error:  # the kit is another one now
        return f"What was set here before cannot be used. {error}"
    stage.take_over(path for path in sorted(place.iterdir()) if path.name != _FILE)
    stage.minutes_before = draft.minutes
    fields = type(stage.parameters).model_fields
    usual = stage.as_it_comes(draft.values)
    told = [
        name if is_path(fields[name]) else f"{name} = {value}"
        for name, value in draft.values.items()
        if value != usual[name]
    ]
    return f"Set here and not accepted yet: {', '.join(told) or 'all values as they come'}."


def forget(case: Case, stage: str) -> None:
    """Remove what is kept: it was accepted."""
    shutil.rmtree(_place(case, stage), ignore_errors=True)


def _decided_last(case: Case, stage: str) -> str:
    folder = accepted.kept(case, stage) or case.current(stage)
    return "" if folder is None else folder.name


def _place(case: Case, stage: str) -> Path:
    return case.evidence / "by-hand" / f"{stage}.draft"
