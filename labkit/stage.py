"""One stage while it runs: what a notebook reads, checks and records.

Three ways lead here.  ``labkit run`` gives the folder to work in, and signs and
publishes it afterwards.  A person in JupyterLab, or plain papermill, gives nothing:
then the stage publishes its own products, unsigned, until ``labkit run`` replays it.
"""

import getpass
import json
import os
import shutil
import time
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from labkit import accepted, drafts
from labkit.case import (
    RESULT_SCHEMA,
    STAGES,
    Acceptance,
    Case,
    Caveat,
    Check,
    Order,
    Result,
    Verdict,
    now,
    worst,
)
from labkit.errors import CaseError, InputError
from labkit.files import content_digest, hashes_below, sha256_of, storage_errors, write_whole
from labkit.parameters import (
    Design,
    StageParameters,
    as_it_comes,
    given_values,
    is_path,
    model_of,
    validated,
)

RUN_VARIABLE = "LABKIT_RUN"
"""What ``labkit run`` tells a notebook's kernel: JSON with ``case``, ``folder``,
``paths``, ``progress``, ``accepted`` and ``notebook_sha256``.  Paths travel here and not as
parameters, since papermill writes parameters into the notebook that becomes evidence."""


class Stage:
    """A stage at work.  Made by `begin`.

    Parameters
    ----------
    name : one of `labkit.case.STAGES`.
    parameters : as decided; replaced when a person accepts others.
    headless : whether ``labkit run`` runs it, and nobody looks on.
    """

    def __init__(self, name: str, parameters: StageParameters) -> None:
        run = json.loads(os.environ.get(RUN_VARIABLE, "{}"))
        self.name = name
        self.parameters: Any = parameters
        self.headless = bool(run)
        root = parameters.case_dir or run.get("case", "")
        if not root:
            raise CaseError(
                "no case folder",
                expected="the parameter case_dir",
                where=name,
                fix="set case_dir in the parameters cell, or use `labkit run CASE`",
            )
        self.case = Case(root)
        self._folder: Path | None = Path(run["folder"]) if run else self.case.by_hand(name)
        self._progress = Path(run["progress"]) if run else None
        self._paths: dict[str, str] = run.get("paths", {})
        self._notebook = {
            "name": f"{name}.ipynb",
            "sha256": run.get("notebook_sha256", "not known: not run by `labkit run`"),
        }
        self._accepted = Acceptance(**run["accepted"]) if run.get("accepted") else None
        self._started = now()
        self._began_s = time.monotonic()
        self.minutes_before = 0.0
        """How long a person worked on it before it was begun here."""
        self._inputs = {"order.yaml": sha256_of(self.case.root / "order.yaml")}
        self._sources: dict[str, str] = {}
        self.checks: list[Check] = []
        self.metrics: dict[str, float] = {}
        self.details: dict[str, Any] = {}
        self.warnings: list[str] = []
        self.caveats: list[Caveat] = []
        self.tools = {"labkit": version("labkit")}
        self._hand_made: set[str] = set()
        self.left_open: dict[str, str] = {}
        """What a person has set and not used yet: where, and in words what."""
        self._inherit_caveats()

    @property
    def order(self) -> Order:
        """Who asked for what."""
        return self.case.order

    @property
    def folder(self) -> Path:
        """Where the products go until the stage is recorded.

        Raises
        ------
        CaseError
            It was recorded: nothing may be written any more.
        """
        if self._folder is None:
            raise CaseError(
                "this stage has been recorded",
                expected="one record for each time the notebook is run",
                where=self.name,
                fix="to do it again, run the notebook from its set-up cell",
            )
        return self._folder

    def path(self, parameter: str) -> Path | None:
        """The place that a path parameter names, or None if it names none.

        Its content is hashed into the record; the path itself is not recorded.
        """
        text = getattr(self.parameters, parameter) or self._paths.get(parameter, "")
        if not text:
            return None
        place = Path(text).expanduser()
        if not place.exists():
            raise InputError(
                f"the {parameter} does not exist",
                expected="an existing file or folder",
                where=f"{self.name}, parameter {parameter}",
                fix="check the path",
            )
        self._sources[parameter] = content_digest(place)
        return place

    def input(self, stage: str, name: str) -> Path:
        """A product of an earlier stage; its hash goes into the record."""
        path = self.case.product(stage, name)
        self._inputs[path.relative_to(self.case.root).as_posix()] = sha256_of(path)
        return path

    def result_of(self, stage: str) -> Result:
        """What an earlier stage found; its hash goes into the record."""
        self.input(stage, "result.json")
        result = self.case.result(stage)
        assert result is not None
        return result

    def path_or_kept(self, parameter: str, name: str) -> Path | None:
        """As `path`; where none is named, ``name`` as a person made it here or a revision ago."""
        place = self.path(parameter)
        own = self._folder if name in self._hand_made else None
        for folder in (own, self.case.current(self.name)):
            if place is None and folder is not None and (folder / name).is_file():
                place = folder / name
                self._sources[parameter] = content_digest(place)
        return place

    def tell(self, progress: object) -> None:
        """Say how far a long step is; ``labkit run`` shows it."""
        if self._progress is not None:
            self._progress.write_text(str(progress), encoding="utf-8")

    def output(self, name: str) -> Path:
        """Where a product goes."""
        return self.folder / name

    def hand_made(self, name: str) -> Path:
        """Where a product goes that a person makes: it is handed over with the decisions."""
        self._hand_made.add(name)
        return self.output(name)

    def take_over(self, hand_made: Iterable[Path]) -> None:
        """Go on with files that a person made in this stage before."""
        for path in hand_made:
            with storage_errors(self.folder):
                shutil.copyfile(path, self.hand_made(path.name))

    def check(
        self,
        name: str,
        value: bool | float | str | None,
        verdict: Verdict,
        *,
        unit: str = "",
        limit: str = "",
    ) -> None:
        """Add a value with its limit and verdict, in place of an earlier one of that name."""
        if isinstance(value, bool):
            value = "yes" if value else "no"
        elif isinstance(value, float):
            value = round(value, 6)
        again = Check(name=name, value=value, unit=unit, limit=limit, verdict=verdict)
        self.checks = [check for check in self.checks if check.name != name] + [again]

    def check_at_most(
        self, name: str, value: float, *, unit: str, tolerance: float, action: float | None = None
    ) -> None:
        """Add a value that must not exceed its tolerance, and is reported beyond *action*."""
        level = tolerance if action is None else action
        verdict: Verdict = "pass" if value <= level else "action" if value <= tolerance else "fail"
        limit = f"≤ {tolerance:g}" + ("" if action is None else f", action beyond {action:g}")
        self.check(name, value, verdict, unit=unit, limit=limit)

    def warn(self, text: str) -> None:
        """Add a sentence that everyone who reads the record should know."""
        self.warnings.append(text)

    def caveat(self, text: str) -> None:
        """Add a sentence that every later stage's record, panel and the PDF repeat."""
        self._keep(Caveat(stage=self.name, text=text))

    def _inherit_caveats(self) -> None:
        for stage in STAGES[: STAGES.index(self.name)]:
            result = self.case.result(stage)
            if result is not None and result.caveats:
                for caveat in self.result_of(stage).caveats:
                    self._keep(caveat)

    def _keep(self, caveat: Caveat) -> None:
        if caveat not in self.caveats:
            self.caveats.append(caveat)

    def resume(self) -> str:
        """Take up what was decided last for this case; in words what that was, or "".

        What was made by hand and no run has taken up yet belongs to it.  What the parameters
        cell says otherwise than it comes counts more: a person wrote it.

        Raises
        ------
        CaseError
            What was decided cannot be read.
        """
        kept = accepted.kept(self.case, self.name)
        folder = kept or self.case.current(self.name)
        if folder is None:
            return ""
        if kept is not None:
            self.take_over(accepted.hand_made_in(kept))
        before = accepted.decided_in(folder)
        usual = self.as_it_comes(before)
        now = self.parameters.model_dump()
        taken = {
            name: value
            for name, value in before.items()
            if name in usual.keys() - {"operator"}
            and value != usual[name]
            and now.get(name, usual[name]) == usual[name]
        }
        if not taken:
            return ""
        self.accept(taken)
        listed = ", ".join(f"{name} = {value}" for name, value in taken.items())
        return f"As decided before, in {folder.name}: {listed}."

    def as_it_comes(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The value of each parameter that goes with ``values`` where nobody decides."""
        usual = as_it_comes(self.name, values)
        return {**usual, "device": self.order.device} if "device" in usual else usual

    def accept(self, values: dict[str, Any]) -> str:
        """Take a person's decisions; the cells below use them.  What to show the person.

        Raises
        ------
        ParameterError
            A value is out of range.
        """
        wanted = self.parameters.model_dump() | values
        names = model_of(self.name, wanted).model_fields  # another family: other parameters
        self.parameters = validated(self.name, {n: v for n, v in wanted.items() if n in names})
        return "Used from here on: by the cells you run below, and by Accept at the end."

    @property
    def operator(self) -> str:
        """Who works on the stage: as decided, else the login name."""
        return self.parameters.operator or getpass.getuser()

    @property
    def places(self) -> dict[str, str]:
        """What the path parameters name, but for the case folder: places, or a series of a PACS."""
        fields = type(self.parameters).model_fields
        named = {n: getattr(self.parameters, n) for n, f in fields.items() if is_path(f)}
        return {n: text for n, text in named.items() if text and n != "case_dir"}

    @property
    def made(self) -> Path | None:
        """The folder with what was made so far; None once it was recorded."""
        return self._folder

    @property
    def minutes(self) -> float:
        """How long a person has worked on the stage."""
        return round(self.minutes_before + (time.monotonic() - self._began_s) / 60, 2)

    @property
    def made_by_hand(self) -> list[Path]:
        """The files of `hand_made` that are there."""
        made = [self._folder / name for name in sorted(self._hand_made)] if self._folder else []
        return [path for path in made if path.is_file()]

    def hand_over(self, by: str) -> Path:
        """The folder with the decisions and what was made by hand, for the run that signs them.

        Parameters
        ----------
        by : the person who accepts; stands in the record as the operator, too.

        Raises
        ------
        InputError
            Something was set and is not used yet, or nobody accepts.
        """
        self.require_nothing_left_open()
        if not by.strip():
            raise InputError(
                "nobody accepts",
                expected="the name or code of the person who decides",
                where=self.name,
                fix="write it into the field beside the button",
            )
        self.accept({"operator": by.strip()})
        acceptance = Acceptance(by=self.parameters.operator, at=now(), minutes=self.minutes)
        folder = accepted.keep(self.case, self.parameters, acceptance, self.made_by_hand)
        drafts.forget(self.case, self.name)
        return folder

    def require_nothing_left_open(self) -> None:
        """Raise an `InputError` where something is set and not used yet."""
        if self.left_open:
            listed = "; ".join(f"{where}: {what}" for where, what in self.left_open.items())
            raise InputError(
                f"set and not used yet: {listed}",
                expected="every field and drawing used, or taken back",
                where=self.name,
                fix="press the button below what was changed, or set it back",
            )

    @property
    def verdict(self) -> Verdict:
        """The worst of the checks; *not done* without any."""
        return worst(self.checks, "not done")

    def record(self) -> Result:
        """Write ``parameters.yaml`` and ``result.json``; by hand, publish the folder too."""
        write_whole(
            self.output("parameters.yaml"), accepted.written(self.parameters, self._accepted)
        )
        final, revision = self.case.next_folder(self.name)
        outputs = hashes_below(self.folder, relative_to=self.folder)
        outputs.pop("notebook.ipynb", None)  # still being written; the signed link holds its hash
        if self._sources:
            self.details["sources"] = self._sources
        result = Result(
            schema=RESULT_SCHEMA,
            case=self.order.case,
            stage=self.name,
            revision=revision,
            started=self._started,
            finished=now(),
            operator=self.operator,
            mode="replay" if self.headless else "interactive",
            accepted=self._accepted,
            verdict=self.verdict,
            checks=self.checks,
            metrics={name: round(float(value), 6) for name, value in self.metrics.items()},
            details=self.details,
            warnings=self.warnings,
            caveats=self.caveats,
            tools=self.tools,
            parameters=self.parameters.decided(),
            notebook=self._notebook,
            inputs=self._inputs,
            outputs={f"{final.name}/{name}": digest for name, digest in outputs.items()},
        )
        content = result.model_dump_json(by_alias=True, indent=1)
        write_whole(self.output("result.json"), content + "\n")
        if not self.headless:
            self.case.publish(self.folder, self.name)
            self._folder = None
        return result


def begin(name: str, cell: Mapping[str, Any]) -> Stage:
    """A stage at work, from the names in a notebook (its ``globals()``).

    Raises
    ------
    ParameterError
        The notebook holds a value the stage does not know (papermill lets a
        mistyped ``-p`` through), or one out of range.
    """
    return Stage(name, validated(name, _as_ordered(name, given_values(cell))))


def _as_ordered(name: str, values: dict[str, Any]) -> dict[str, Any]:
    """The values with the device that was ordered, where the cell was left as it is."""
    left = Design.model_fields["device"].default
    if name != Design.stage or values.get("device", left) != left or not values.get("case_dir"):
        return values
    return {**values, "device": Case(values["case_dir"]).order.device}
