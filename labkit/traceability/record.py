"""The PDF record of a case, shaped for the batch record of ISO 13485:2016, 7.5.1."""

import json
import shutil
import tempfile
import unicodedata
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from typing import Any

import typst
from PIL import Image

from labkit.case import STAGES, Case, Result, read_result
from labkit.errors import CaseError
from labkit.files import hashes_below, write_whole
from labkit.traceability.keys import keys
from labkit.traceability.procedure import procedure as procedure_named

PICTURES = {
    "01_scan": ("slices.png", "Slices of the scan"),
    "02_segmentation": ("surface.png", "Surface found in the scan"),
    "03_design": ("part.png", "Part as designed"),
    "04_slicing": ("toolpath.png", "Path of the tool"),
}

# What the fonts inside typst can show; PDF/A refuses a text with a missing glyph.
_SHOWN = ((0x20, 0x4FF), (0x1E00, 0x1FFF), (0x2010, 0x2040), (0x2070, 0x209F))
_SHOWN_SIGNS = ((0x20A0, 0x20BF), (0x2190, 0x23FF), (0x2500, 0x25FF))

_MOMENT = ("year", "month", "day", "hour", "minute", "second")


def write_record(case: Case, path: Path, *, procedure: str = "practice", remarks: str = "") -> None:
    """Write the record of what was done before this stage to ``path``, as PDF/A-3b.

    The same case gives the same bytes: the date is that of the newest result.
    The results as JSON are attached, so that the numbers need not be read off a
    page.  Every text of the case is passed to typst as data, never as markup.

    Raises
    ------
    CaseError
        No stage was done yet, or a result cannot be read.
    ParameterError
        There is no such procedure.
    StorageError
        The place cannot be written.
    """
    folders = [folder for stage in STAGES[:-1] if (folder := case.current(stage))]
    results = {folder.name: read_result(folder) for folder in folders}
    if not results:
        raise CaseError(
            "no stage of this case was done",
            expected="at least one result to record",
            where=str(case.root),
            fix="run the stages first",
        )
    newest = max(datetime.fromisoformat(result.finished) for result in results.values())
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        content = {
            **_content(case, results, procedure, remarks),
            "pictures": _pictures(folders, work),
            "written": newest.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC"),
            "date": dict(zip(_MOMENT, newest.astimezone(UTC).timetuple(), strict=False)),
        }
        attached = {
            "schema": "labkit/record/1",
            "order": case.order.model_dump(),
            "results": [result.model_dump(by_alias=True) for result in results.values()],
        }
        (work / "content.json").write_text(json.dumps(_shown(content)), encoding="utf-8")
        (work / "results.json").write_text(
            json.dumps(attached, indent=1, sort_keys=True, ensure_ascii=False), encoding="utf-8"
        )
        template = resources.files("labkit.traceability") / "record.typ"
        (work / "record.typ").write_bytes(template.read_bytes())
        pdf = typst.compile(
            work / "record.typ",
            root=work,
            format="pdf",
            pdf_standards=["a-3b"],
            ignore_system_fonts=True,
            font_paths=[],
        )
    write_whole(path, pdf)


def _content(
    case: Case, results: Mapping[str, Result], procedure: str, remarks: str
) -> dict[str, Any]:
    """What the pages say; tables as lists of rows of text."""
    by_stage = {result.stage: result for result in results.values()}
    job = by_stage["05_printing"].details if "05_printing" in by_stage else {}
    measured = by_stage["06_inspection"].details if "06_inspection" in by_stage else {}
    order, followed = case.order, procedure_named(procedure)
    side = "" if order.laterality == "none" else f", {order.laterality}"
    finished = job.get("state") == "finished"
    made = 1 if finished and job.get("practice") is False else 0
    return {
        "case": order.case,
        "subject": f"{order.device}, {order.anatomy}{side}",
        "intended_use": order.intended_use,
        "practice": _practice(case, job),
        "order": [
            ["Patient code", order.patient_code],
            ["Anatomy", order.anatomy],
            ["Laterality", order.laterality],
            ["Device", order.device],
            ["Requested by", order.requested_by],
            ["Prescription", order.prescription or "none given"],
            ["Procedure", f"{followed.name} {followed.version}: {followed.title}"],
            ["Status of the procedure", followed.status],
            ["Amount manufactured", f"{made}" + (" (practice print)" if finished > made else "")],
            ["Amount approved", "0: no person has released a part in this record"],
            ["Remarks", remarks or "none"],
        ],
        "stages": [
            [
                name,
                str(result.revision),
                result.verdict,
                f"{_time(result.started)} – {_time(result.finished)}",
                result.operator,
                result.mode,
                result.notebook.get("sha256", "")[:12],
            ]
            for name, result in results.items()
        ],
        "checks": [
            [name, check.name, _value(check.value), check.unit, check.limit, check.verdict]
            for name, result in results.items()
            for check in result.checks
        ],
        "caveats": sorted(
            {(caveat.stage, caveat.text) for r in results.values() for caveat in r.caveats}
        ),
        "warnings": [
            [name, warning] for name, result in results.items() for warning in result.warnings
        ],
        "job": [
            [key.replace("_", " "), _value(value)]
            for key, value in job.items()
            if isinstance(value, str | int | float) and not key.endswith(("sha1", "sha256"))
        ],
        "job_known": [
            [str(line.get(key, "")) for key in ("at", "state", "seen")]
            for line in _rows(job.get("history"))
        ],
        "job_not_known": [str(text) for text in job.get("not_known") or []],
        "inspection": _table(_rows(measured.get("measurements"))),
        "parameters": [
            [name, key, _value(value)]
            for name, result in results.items()
            for key, value in sorted(result.parameters.items())
        ],
        "tools": sorted({(tool, v) for r in results.values() for tool, v in r.tools.items()}),
        "products": [
            [path, digest]
            for name in results
            for path, digest in hashes_below(case.root / name, relative_to=case.root).items()
            if not path.endswith((".png", "/parameters.yaml"))
        ],
    }


def _practice(case: Case, job: Mapping[str, Any]) -> list[str]:
    """Why this record is of an exercise; empty when it is not."""
    reasons = {
        "the order is an exercise": case.order.practice,
        "the keys that sign it are practice keys": keys().practice,
        "nothing real was printed": job.get("practice") is True,
    }
    return [reason for reason, holds in reasons.items() if holds]


def _pictures(folders: list[Path], work: Path) -> list[dict[str, str]]:
    """Readable pictures of the stages, copied beside the template."""
    pictures: list[dict[str, str]] = []
    for folder in folders:
        name, caption = PICTURES.get(folder.name.partition(".r")[0], ("", ""))
        if not name or not (folder / name).is_file():
            continue
        try:
            with Image.open(folder / name, formats=["PNG"]) as image:
                image.load()
        except (OSError, SyntaxError, ValueError):
            continue
        shutil.copyfile(folder / name, work / f"{len(pictures)}.png")
        pictures.append({"file": f"{len(pictures)}.png", "caption": f"{caption} ({folder.name})"})
    return pictures


def _rows(value: object) -> list[dict[str, Any]]:
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []


def _table(rows: list[dict[str, Any]]) -> list[list[str]]:
    """Header and rows, or nothing."""
    if not rows:
        return []
    columns = list(rows[0])
    header = [column.replace("_", " ") for column in columns]
    return [header, *([_value(row.get(column)) for column in columns] for row in rows)]


def _value(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}"
    return "–" if value is None else str(value)


def _time(text: str) -> str:
    return datetime.fromisoformat(text).astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def _shown(value: Any) -> Any:
    """The same content with every text made of characters that the fonts have."""
    if isinstance(value, str):
        return "".join(map(_character, " ".join(value.split())))
    if isinstance(value, Mapping):
        return {key: _shown(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_shown(item) for item in value]
    return value


def _character(character: str) -> str:
    code = ord(character)
    ranges = (*_SHOWN, *_SHOWN_SIGNS)
    if any(low <= code <= high for low, high in ranges) and (
        character == " " or unicodedata.category(character)[0] in "LMNPS"
    ):
        return character
    return f"⟨U+{code:04X}⟩"
