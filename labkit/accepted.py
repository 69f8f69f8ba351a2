"""Decisions that a person accepted: kept in the case until a run has made its evidence of them.

::

    <case>/evidence/accepted/<stage>-<moment>/parameters.yaml   the decisions; papermill -f takes it
    <case>/evidence/accepted/<stage>-<moment>/acceptance.json   who, when, how long it took
    <case>/evidence/accepted/<stage>-<moment>/strokes.json …    what was made by hand
"""

import shutil
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import yaml
from pydantic import ValidationError

from labkit.case import Acceptance, Case
from labkit.errors import CaseError
from labkit.files import folder_written_whole, write_whole
from labkit.parameters import StageParameters

_WRITTEN = {"parameters.yaml", "acceptance.json"}


def keep(
    case: Case, parameters: StageParameters, acceptance: Acceptance, hand_made: Iterable[Path] = ()
) -> Path:
    """The folder with a stage's decisions, there whole or not at all; in place of earlier ones.

    Parameters
    ----------
    parameters : as decided.
    acceptance : who accepted them, when, and how long it took.
    hand_made : files that a person made in the stage, to be taken over as they are.

    Raises
    ------
    StorageError
        The case's folder cannot be written; earlier decisions are as they were.
    """
    stage = parameters.stage
    earlier = _folders(case, stage)
    moment = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%fZ")  # names in the order of time
    folder = _place(case) / f"{stage}-{moment}"
    with folder_written_whole(folder) as made:
        write_whole(made / "parameters.yaml", written(parameters, acceptance))
        write_whole(made / "acceptance.json", acceptance.model_dump_json(indent=1) + "\n")
        for path in hand_made:
            shutil.copyfile(path, made / path.name)
    for one in earlier:
        shutil.rmtree(one, ignore_errors=True)
    return folder


def kept(case: Case, stage: str) -> Path | None:
    """The folder with the decisions of a stage that no run has taken up, or None."""
    folders = _folders(case, stage)
    return folders[-1] if folders else None


def hand_made_in(folder: Path) -> list[Path]:
    """The files beside the decisions in a folder, which a person made."""
    return sorted(path for path in folder.glob("*") if path.name not in _WRITTEN)


def acceptance_in(folder: Path) -> Acceptance | None:
    """Who accepted the decisions in a folder, or None where that is not known."""
    try:
        return Acceptance.model_validate_json((folder / "acceptance.json").read_bytes())
    except (OSError, ValidationError):
        return None


def decided_in(folder: Path) -> dict[str, object]:
    """The decisions in a folder, accepted or recorded; none where it holds no such file.

    Raises
    ------
    CaseError
        They cannot be read.
    """
    path = folder / "parameters.yaml"
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8")) if path.is_file() else {}
        if isinstance(found, dict):
            return found
        fault = "no names with values"
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        fault = type(error).__name__
    raise CaseError(
        f"decisions that cannot be read ({fault})",
        expected="the file as it was written",
        where=f"{folder.name}/{path.name}",
        fix="restore it from a copy, or move the folder out of the case and do the stage again",
    )


def forget(folder: Path) -> None:
    """Remove decisions that are in a signed record now."""
    shutil.rmtree(folder, ignore_errors=True)


def written(parameters: StageParameters, acceptance: Acceptance | None) -> str:
    """The text of ``parameters.yaml``: the decisions, and above them whose they are."""
    head = f"# {acceptance.said}\n" if acceptance else ""
    return head + yaml.safe_dump(parameters.decided(), sort_keys=True, allow_unicode=True)


def _place(case: Case) -> Path:
    return case.evidence / "accepted"


def _folders(case: Case, stage: str) -> list[Path]:
    return sorted(_place(case).glob(f"{stage}-*"))
