"""The case folder: where the stages meet.

::

    <case>/order.yaml              who asked for what
    <case>/01_scan/ … 07_…/        products of a stage, with parameters.yaml,
                                   notebook.ipynb and result.json
    <case>/03_design.r2/           the stage again: a new revision, nothing overwritten
    <case>/evidence/               signatures over all of it; notebooks that failed;
                                   what was made by hand and not signed
    <case>/.staging/               a stage while it runs; renamed when it is whole
"""

import contextlib
import json
import re
import shutil
import tempfile
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from labkit.errors import CaseError
from labkit.files import storage_errors, write_whole
from labkit.profiles import first_fault

STAGES = (
    "01_scan",
    "02_segmentation",
    "03_design",
    "04_slicing",
    "05_printing",
    "06_inspection",
    "07_traceability",
)
"""The stages in order: the name of the notebook, of the folder and, without its
number, of the room in the package."""

Verdict = Literal["pass", "action", "fail", "not done"]
"""AAPM-style levels: *action* is worth a look and a note, *fail* is beyond tolerance."""

_WORST: tuple[Verdict, ...] = ("pass", "action", "not done", "fail")

Device = Literal[
    "anatomical model",
    "surgical guide",
    "lattice",
    "orthosis",
    "prosthesis",
    "dosage form",
    "scaffold",
]
"""The families of parts that an order may name."""

RESULT_SCHEMA = "labkit/result/1"


def now() -> str:
    """This moment in UTC, ISO 8601, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


class Order(BaseModel):
    """Who asked for what.  Holds a patient *code*, never a name or a number.

    The fields follow what an order of patient-matched parts names (ISO/ASTM 52901:
    file, tolerance, confidentiality are settled by the kit) and what the statement
    of EU MDR Annex XIII repeats: prescriber, prescription, patient code.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    case: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,31}$",
        description="case code",
        json_schema_extra={"form": "letters, digits, - and _; no spaces; at most 32"},
    )
    patient_code: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$",
        description="the patient's code, not the name",
        json_schema_extra={"form": "letters, digits, -, _ and points; no spaces; at most 64"},
    )
    anatomy: str = Field(min_length=1, description="what is to be made visible or fitted")
    laterality: Literal["left", "right", "none"] = Field(description="the side of the body")
    device: Device = Field(default="anatomical model", description="the family of part")
    requested_by: str = Field(min_length=1, description="role or code of the prescriber")
    prescription: str = Field(default="", description="the design characteristics asked for")
    intended_use: str = Field(
        default="not for diagnostic use / not for implantation",
        description="what the part may be used for",
    )
    practice: bool = Field(default=False, description="an exercise: no patient behind it")


class Check(BaseModel):
    """One measured value against its limit."""

    model_config = ConfigDict(frozen=True)

    name: str
    value: float | str | None
    unit: str = ""
    limit: str = ""
    verdict: Verdict


def worst(checks: Iterable[Check], without: Verdict) -> Verdict:
    """The verdict of checks taken together: the worst of them; ``without`` where there is none."""
    return max((check.verdict for check in checks), key=_WORST.index, default=without)


class Caveat(BaseModel):
    """What everyone who builds on a stage must know; it travels to the end of the chain."""

    model_config = ConfigDict(frozen=True)

    stage: str = Field(description="where it arose")
    text: str


class Acceptance(BaseModel):
    """Who accepted the decisions of a stage by hand."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    by: str = Field(min_length=1, description="a person of the lab, by name or code")
    at: str = Field(description="when; ISO 8601, UTC")
    minutes: float = Field(ge=0, description="from the notebook's set-up to there")

    @property
    def said(self) -> str:
        """All of it in words, on one line."""
        by = " ".join(self.by.split())
        return f"accepted by {by}, {self.at}, after {self.minutes:.1f} minutes"


class Result(BaseModel):
    """What a stage found: the content of ``result.json``."""

    model_config = ConfigDict(populate_by_name=True, extra="forbid")

    schema_name: str = Field(default=RESULT_SCHEMA, alias="schema")
    case: str
    stage: str
    revision: int
    started: str
    finished: str
    operator: str
    mode: Literal["interactive", "replay"]
    accepted: Acceptance | None = Field(
        default=None, description="whose decisions a replay repeats; None where nobody accepted any"
    )
    verdict: Verdict
    checks: list[Check]
    metrics: dict[str, float]
    details: dict[str, Any] = Field(default_factory=dict, description="words and tables")
    warnings: list[str]
    caveats: list[Caveat] = Field(
        default_factory=list, description="its own, and those of the stages before it"
    )
    tools: dict[str, str]
    parameters: dict[str, Any]
    notebook: dict[str, str]
    inputs: dict[str, str]
    outputs: dict[str, str]


class Case:
    """A case folder that exists.

    Parameters
    ----------
    root : the folder; must hold ``order.yaml``.

    Raises
    ------
    CaseError
        No such folder, no order in it, or an order that is not one.
    """

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root).expanduser().absolute()
        self.order = read_order(self.root / "order.yaml")

    @classmethod
    def create(cls, root: str | Path, order: Order) -> "Case":
        """A new case folder with its order in it.

        Raises
        ------
        CaseError
            The folder is there already and holds something.
        """
        folder = Path(root).expanduser().absolute()
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise CaseError(
                f"{folder.name} is there already and is not empty",
                expected="a new name for a new case",
                where=str(folder.parent),
                fix="choose another folder, or continue this one with `labkit run`",
            )
        text = yaml.safe_dump(order.model_dump(), sort_keys=False, allow_unicode=True)
        write_whole(folder / "order.yaml", text)
        return cls(folder)

    @property
    def evidence(self) -> Path:
        """The folder of signatures; outside what they sign."""
        return self.root / "evidence"

    def revisions(self, stage: str) -> list[Path]:
        """The finished folders of a stage, oldest first."""
        _known(stage)
        pattern = re.compile(re.escape(stage) + r"(?:\.r([2-9]|[1-9]\d+))?")
        numbered = [
            (int(match[1] or 1), path)
            for path in self.root.iterdir()
            if path.is_dir() and (match := pattern.fullmatch(path.name))
        ]
        return [path for _, path in sorted(numbered)]

    def current(self, stage: str) -> Path | None:
        """The newest finished folder of a stage, or None if it was never done."""
        folders = self.revisions(stage)
        return folders[-1] if folders else None

    def product(self, stage: str, name: str) -> Path:
        """A product of the newest revision of a stage.

        Raises
        ------
        CaseError
            The stage was not done, or left no such product.
        """
        folder = self.current(stage)
        if folder is None:
            raise CaseError(
                f"stage {stage} has not been done",
                expected=f"its product {name}",
                where=str(self.root),
                fix=f"run `labkit run {self.root.name} {stage}` first",
            )
        if not (folder / name).is_file():
            raise CaseError(
                f"{folder.name} holds no {name}",
                expected=f"{name}, which stage {stage} writes",
                where=str(folder),
                fix=f"run stage {stage} again",
            )
        return folder / name

    def result(self, stage: str) -> Result | None:
        """What the newest revision of a stage found, or None if it was never done."""
        folder = self.current(stage)
        return None if folder is None else read_result(folder)

    def next_folder(self, stage: str) -> tuple[Path, int]:
        """Where the next revision of a stage goes, and its number (1, 2, …)."""
        folders = self.revisions(stage)
        if not folders:
            return self.root / stage, 1
        _, _, last = folders[-1].name.partition(".r")
        revision = int(last or 1) + 1
        return self.root / f"{stage}.r{revision}", revision

    def stage_in_work(self, stage: str) -> Path:
        """An empty folder for a stage to work in; left-overs of a dead run go first."""
        _known(stage)
        folder = self.root / ".staging" / stage
        with storage_errors(folder):
            if folder.exists():
                shutil.rmtree(folder)
            folder.mkdir(parents=True)
        return folder

    def by_hand(self, stage: str) -> Path:
        """An empty folder for a stage that a person works on, out of the way of any run."""
        _known(stage)
        parent = self.evidence / "by-hand"
        with storage_errors(parent):
            parent.mkdir(parents=True, exist_ok=True)
            return Path(tempfile.mkdtemp(prefix=f"{stage}-", dir=parent))

    def publish(self, in_work: Path, stage: str) -> Path:
        """Give a finished stage its place, in one step."""
        folder, _ = self.next_folder(stage)
        with storage_errors(folder):
            in_work.rename(folder)
        self.discard(in_work)
        return folder

    def discard(self, in_work: Path) -> None:
        """Remove a folder that a stage worked in."""
        shutil.rmtree(in_work, ignore_errors=True)
        with contextlib.suppress(OSError):
            in_work.parent.rmdir()


def _known(stage: str) -> None:
    if stage not in STAGES:
        raise ValueError(f"unknown stage {stage!r}; one of {', '.join(STAGES)}")


def read_order(path: Path) -> Order:
    """The order in a YAML file.

    Raises
    ------
    CaseError
        No such file, not YAML, or a field that is missing, unknown or out of range.
    """
    if not path.is_file():
        raise CaseError(
            f"no file {path.name}",
            expected="an order in YAML; `labkit new CASE --order FILE` makes a case of it",
            where=str(path.parent),
            fix="name the right case folder or the right order file",
        )
    try:
        text = path.read_text(encoding="utf-8")
        twice = _given_twice(text)
        if twice:
            raise CaseError(
                f"{twice} is given twice",
                expected="each field once",
                where=str(path),
                fix="delete the line that is wrong",
            )
        return Order.model_validate(yaml.safe_load(text))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        line = getattr(getattr(error, "problem_mark", None), "line", None)
        raise CaseError(
            f"{path.name} cannot be read as YAML" + ("" if line is None else f", line {line + 1}"),
            expected="lines of the form `name: value`",
            where=str(path.parent),
            fix="correct it after sample_data/order.yaml",
        ) from error
    except ValidationError as error:
        raise CaseError(
            f"the order's field {first_fault(error, 'the whole')}",
            expected="the fields " + ", ".join(Order.model_fields),
            where=str(path),
            fix="correct the order; codes without spaces, a number as a code in quotes",
        ) from error


def _given_twice(text: str) -> str:
    """The first field that a YAML table names twice; the parser would keep the last."""
    table = yaml.compose(text, Loader=yaml.SafeLoader)
    names = [key.value for key, _ in table.value] if isinstance(table, yaml.MappingNode) else []
    return next((str(name) for name in names if names.count(name) > 1), "")


def read_result(folder: Path) -> Result:
    """The ``result.json`` of a finished stage.

    Raises
    ------
    CaseError
        It is missing or is not a result.
    """
    path = folder / "result.json"
    try:
        return Result.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise CaseError(
            f"{folder.name} holds no readable result.json",
            expected="the record that every finished stage leaves",
            where=str(folder),
            fix="run the stage again",
        ) from error
