"""Notebooks that failed: kept below ``evidence/failed``, and what the last one says."""

import contextlib
import json
from datetime import UTC, datetime
from pathlib import Path

from labkit.case import Case
from labkit.errors import CaseError, LabkitError

_MOMENT = "%Y-%m-%dT%H%M%S%z"
"""ISO 8601 without the colons, which the names of files on Windows cannot hold."""


def place_of_failed(case: Case, stage: str) -> Path:
    """Where the executed notebook of a stage that fails now is kept."""
    return case.evidence / "failed" / f"{stage}-{datetime.now(UTC).strftime(_MOMENT)}.ipynb"


def last_failure(case: Case, stage: str) -> dict[str, str] | None:
    """When and why a stage failed last, and what to do next; None if it was done since.

    The words are those of the error in the notebook that was kept: they name no patient.
    """
    kept = sorted((case.evidence / "failed").glob(f"{stage}-????-??-??T??????+0000.ipynb"))
    if not kept:
        return None
    at = datetime.strptime(kept[-1].stem.removeprefix(f"{stage}-"), _MOMENT).isoformat()
    with contextlib.suppress(CaseError):
        result = case.result(stage)
        if result is not None and result.finished >= at:
            return None
    error = _error_in(kept[-1])
    found = error.found if error else "its notebook did not run to its end"
    fix = error.fix if error else f"open evidence/failed/{kept[-1].name}"
    return {"at": at, "found": found, "fix": fix}


def _error_in(notebook: Path) -> LabkitError | None:
    """The error that ended a notebook, if it was one of ours."""
    with contextlib.suppress(OSError, ValueError, LookupError, TypeError):
        cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
        outputs = [output for cell in cells for output in cell.get("outputs", [])]
        ended = [output for output in outputs if output["output_type"] == "error"][-1]
        return LabkitError.from_notebook(ended["ename"], ended["traceback"])
    return None
