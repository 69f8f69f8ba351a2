"""The lab's cases at this moment: how far each is, what is next, and why one stopped."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from labkit.case import STAGES, Case
from labkit.errors import LabkitError
from labkit.procedures.holding import status

_BUILT_ON = ("pass", "action")
"""The verdicts that a next stage builds on."""

_GOES_ON = "06_inspection"
"""A part out of tolerance needs its record all the more."""


@dataclass(frozen=True)
class CaseNow:
    """One case folder, as it was found just now.

    Parameters
    ----------
    folder : may be called anything, also after a patient: it is not shown.
    code : the case code; the folder's name where the order cannot be read.
    done : how many stages hold.
    next : the stage to do next, again if its verdict was not good; "" when all hold.
    state : what there is of that stage, in words.
    verdict : the worst of what was done: ``pass``, ``action``, ``not done`` or ``fail``.
    stopped : why the next stage cannot be begun, or why it failed last; "" if it did not.
    fix : what to do about that.
    can_run : whether the next stage can be run or opened now.
    running : whether a run is at work on the case, whoever started it.
    """

    folder: Path
    code: str
    anatomy: str = ""
    side: str = ""
    practice: bool = False
    done: int = 0
    next: str = ""
    state: str = ""
    verdict: str = ""
    stopped: str = ""
    fix: str = ""
    can_run: bool = False
    running: bool = False

    @property
    def stages_done(self) -> str:
        """``3 of 7``."""
        return f"{self.done} of {len(STAGES)}"


def caseload(cases: Path) -> list[CaseNow]:
    """One entry per case folder below ``cases``, by the folder's name."""
    return [case_now(order.parent) for order in sorted(cases.glob("*/order.yaml"))]


def case_now(folder: Path) -> CaseNow:
    """A case folder as it is; one that cannot be read says why."""
    try:
        case = Case(folder)
        stages = status(case)
    except LabkitError as error:
        return CaseNow(folder, folder.name, stopped=error.found, fix=error.fix)
    order = case.order
    held = [row for row in stages if row["state"] == "holds"]
    row = next((row for row in stages if not _is_good(row)), None)
    running = next((str(r["state"]) for r in stages if _is_running(r)), "")
    state = running or ("" if row is None else _state(row))
    altered = "NOT AS SIGNED" in state
    failure = {} if row is None else _why(row, altered=altered, verdict=str(row["verdict"]))
    return CaseNow(
        folder,
        order.case,
        order.anatomy,
        order.laterality,
        order.practice,
        done=len(held),
        next="" if row is None else str(row["stage"]),
        state=state,
        verdict=_worst([str(one["verdict"]) for one in held]),
        stopped=failure.get("found", ""),
        fix=failure.get("fix", ""),
        can_run=row is not None and not running and not altered,
        running=bool(running),
    )


def _is_good(row: Mapping[str, object]) -> bool:
    return row["state"] == "holds" and (row["verdict"] in _BUILT_ON or row["stage"] == _GOES_ON)


def _is_running(row: Mapping[str, object]) -> bool:
    return str(row["state"]).startswith("running")


def _state(row: Mapping[str, object]) -> str:
    return f"done, verdict {row['verdict']}" if row["state"] == "holds" else str(row["state"])


def _why(row: Mapping[str, object], *, altered: bool, verdict: str) -> dict[str, str]:
    failure = row.get("failure")
    if altered:
        return {"found": str(row["state"]), "fix": "ask whoever looks after the evidence: verify"}
    if isinstance(failure, dict):
        return {str(name): str(text) for name, text in failure.items()}
    if row["state"] == "holds":
        fix = "open its notebook, look at its checks, and decide otherwise"
        return {"found": f"the verdict of {row['stage']} is {verdict}", "fix": fix}
    return {}


def _worst(verdicts: list[str]) -> str:
    order = ["pass", "action", "not done", "fail"]
    return max(verdicts, key=order.index, default="")
