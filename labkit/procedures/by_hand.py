"""A stage's notebook for one case: a copy that a person opens, ready to run.

The controlled notebook is never edited.  The copy lies in the case's own
``evidence/by-hand``, so that pictures of a patient stay with the case.
"""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from labkit.case import Case
from labkit.errors import CaseError
from labkit.files import storage_errors, write_whole
from labkit.procedures.notebooks import notebook_of, source_hash

_LINE = re.compile(r"(?P<name>\w+)(?P<kind>: \w+)? = .*?(?P<help>  # .*)?")


def notebook_for(case: Case, stage: str, values: Mapping[str, str] | None = None) -> Path:
    """The case's copy of a stage's notebook, with ``case_dir`` and ``values`` filled in.

    A copy that is there already is taken as it is, with the decisions and outputs in it.
    One that says or does something else than the controlled notebook (which was changed
    since, or the copy was) is kept under another name, and a new one is made.

    Parameters
    ----------
    stage : one of `labkit.case.STAGES`.
    values : text for parameters besides ``case_dir``; an empty one is left as it is.

    Raises
    ------
    CaseError
        The controlled notebook has no such parameter.
    StorageError
        The case's folder cannot be written.
    """
    controlled = notebook_of(stage)
    copy = case.evidence / "by-hand" / f"{stage}-{case.order.case}.ipynb"
    source = controlled
    if copy.is_file():
        if _hash(copy) == source_hash(controlled):
            source = copy
        else:
            _set_aside(copy)
    content = json.loads(source.read_text(encoding="utf-8"))
    wanted = {"case_dir": str(case.root), **{n: v for n, v in (values or {}).items() if v}}
    if _fill(content, wanted) or source is controlled:
        write_whole(copy, json.dumps(content, indent=1, ensure_ascii=False) + "\n")
    return copy


def _hash(copy: Path) -> str:
    try:
        return source_hash(copy)
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return ""


def _set_aside(copy: Path) -> None:
    moment = datetime.now(UTC).strftime("%Y-%m-%dT%H%M%S")
    with storage_errors(copy):
        copy.rename(copy.with_name(f"{copy.stem}-before-{moment}.ipynb"))


def _fill(content: Any, wanted: Mapping[str, str]) -> bool:
    """Set values in the parameters cell; whether that changed it."""
    cell = next(one for one in content["cells"] if "parameters" in one["metadata"].get("tags", []))
    before = "".join(cell["source"])
    lines = before.splitlines()
    for name, value in wanted.items():
        for at, line in enumerate(lines):
            found = _LINE.fullmatch(line)
            if found is not None and found["name"] == name:
                lines[at] = f"{name}{found['kind'] or ''} = {value!r}{found['help'] or ''}"
                break
        else:
            raise CaseError(
                f"the notebook has no parameter {name}",
                expected=f"a line `{name} = …` in its second cell",
                where="the copy for this case",
                fix="delete the copy in evidence/by-hand; a new one is made",
            )
    after = "\n".join(lines)
    cell["source"] = after.splitlines(keepends=True)
    return after != before
