"""A case as one page of HTML: what was ordered, what was signed, and each stage's notebook.

The page is a copy to read, not evidence: it lies outside what is signed, and can be made
again at any moment.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from importlib.metadata import version
from pathlib import Path

from securesystemslib.signer import SSlibKey  # type: ignore[attr-defined]

from labkit.case import STAGES, Case, Result, now, read_result
from labkit.errors import EvidenceError, LabkitError
from labkit.files import hashes_below, write_whole
from labkit.procedures.holding import is_signed
from labkit.traceability.evidence import differences, sentence, signed_step
from labkit.traceability.keys import OPERATOR, own_public_key, public_key
from labkit.views.evidence_page import document, part_of
from labkit.views.words import signed

NAME = "case.html"
"""What the page is called in the case's ``evidence``."""

_NOTEBOOK = "notebook.ipynb"


@dataclass(frozen=True)
class _Done:
    """A finished stage, and how it stands to what was signed."""

    folder: Path
    result: Result
    notebook_sha256: str
    standing: str


def case_page(case: Case) -> str:
    """One HTML page of a case: order, stages with verdict and signed hash, all notebooks.

    What cannot be shown is said in its place: the page is also for a case in which
    something was altered.

    Raises
    ------
    EvidenceError
        The lab's key, or the one that came with the case, is damaged.
    """
    key = _key(case)
    done: dict[str, _Done | str] = {}
    for stage in STAGES:
        folder = case.current(stage)
        done[stage] = "not done" if folder is None else _done(case, folder, key)
    title = f"Case {case.order.case}"
    links = "".join(
        f'<li><a href="#{stage}">{stage}</a></li>'
        for stage, what in done.items()
        if isinstance(what, _Done)
    )
    parts = [_part(stage, what) for stage, what in done.items() if isinstance(what, _Done)]
    return document(
        title,
        f'<header id="top"><h1>{escape(title)}</h1>{_order(case)}</header>\n'
        f'<nav aria-label="Stages"><h2>Stages</h2><ul>{links}</ul></nav>\n'
        f"<main>{_stages(done)}\n{''.join(parts)}</main>\n"
        f"<footer><p>Written on {now()} by labkit {version('labkit')}, as the case was then. "
        "This page is a copy to read. What was signed is in the case folder; "
        "<code>labkit verify</code> tells whether it is as it was signed.</p></footer>",
    )


def write_case_page(case: Case, path: Path | None = None) -> Path:
    """Write the page of a case, by default into its ``evidence``; where it is now.

    Raises
    ------
    StorageError
        The place cannot be written.
    """
    target = path or case.evidence / NAME
    write_whole(target, case_page(case))
    return target


def page_written(case: Case) -> str:
    """What became of the page of a case that was just sealed, in words.

    The case is sealed with or without it.
    """
    try:
        return f"to read: {write_case_page(case).relative_to(case.root).as_posix()}"
    except (LabkitError, OSError) as error:
        why = error.found if isinstance(error, LabkitError) else error.strerror
        return f"no page to read ({why}); `labkit page {case.root.name}` makes it"


def _key(case: Case) -> SSlibKey | None:
    """The key to judge by: this lab's own, or the one that came with the case."""
    came = case.evidence / f"{OPERATOR}.pub"
    return own_public_key(OPERATOR) or (public_key(came) if came.is_file() else None)


def _done(case: Case, folder: Path, key: SSlibKey | None) -> _Done | str:
    try:
        result = read_result(folder)
    except LabkitError as error:
        return error.found
    if key is None or not is_signed(case, folder):
        return _Done(folder, result, "", "not signed")
    try:
        step = signed_step(case.root, folder.name, key)
        wrong = differences(step.products, hashes_below(folder, relative_to=case.root))
    except EvidenceError as error:
        return _Done(folder, result, "", f"NOT AS SIGNED: {error.found}")
    digest = step.products.get(f"{folder.name}/{_NOTEBOOK}", "")
    if wrong:
        words = "; ".join(sentence(what, path, folder.name) for what, path in wrong)
        return _Done(folder, result, digest, f"NOT AS SIGNED: {words}")
    return _Done(folder, result, digest, "as signed")


def _order(case: Case) -> str:
    order = case.order
    facts = {
        "case": order.case,
        "patient code": order.patient_code,
        "anatomy": order.anatomy,
        "side": order.laterality,
        "device": order.device,
        "asked for by": order.requested_by,
        "prescription": order.prescription or "none given",
        "intended use": order.intended_use,
        "practice": "yes: an exercise, no patient behind it" if order.practice else "no",
    }
    rows = "".join(
        f'<tr><th scope="row">{name}</th><td>{escape(value)}</td></tr>'
        for name, value in facts.items()
    )
    return f"<h2>Order</h2><table><tbody>{rows}</tbody></table>"


_COLUMNS = (
    *("stage", "verdict", "operator", "finished", "revision", "state"),
    "SHA-256 of the notebook, as signed",
)


def _stages(done: dict[str, _Done | str]) -> str:
    heads = "".join(f'<th scope="col">{name}</th>' for name in _COLUMNS)
    return (
        "<h2>What was done</h2>"
        f"<table><thead><tr>{heads}</tr></thead>"
        f"<tbody>{''.join(_row(stage, what) for stage, what in done.items())}</tbody></table>"
    )


def _row(stage: str, what: _Done | str) -> str:
    if isinstance(what, str):
        cells: Sequence[str] = ["–", "–", "–", "–", what]
        verdict, digest = "", "–"
    else:
        result = what.result
        word, colour = signed(result.verdict)
        look = f"color: {colour}; font-weight: bold; white-space: nowrap"
        verdict = f'<td style="{look}">{word}</td>'
        cells = [result.operator, result.finished, str(result.revision), what.standing]
        digest = what.notebook_sha256 or "–"
    words = "".join(f"<td>{escape(cell)}</td>" for cell in cells)
    return f'<tr><th scope="row">{stage}</th>{verdict}{words}<td class="hash">{digest}</td></tr>'


def _part(stage: str, done: _Done) -> str:
    """The section of a stage: its notebook, or why that cannot be shown."""
    try:
        title, body = part_of(done.folder / _NOTEBOOK, deeper=1)
    except LabkitError as error:
        title, body = stage, f"<h2>{stage}</h2><p>{escape(error.found)}</p>"
    standing = (
        "" if done.standing == "as signed" else f"<p><strong>{escape(done.standing)}.</strong></p>"
    )
    return (
        f'\n<section id="{stage}" aria-label="{escape(title)}">'
        f"<p>{escape(done.folder.name)}</p>{standing}{body}"
        '<p><a class="top" href="#top">To the top</a></p></section>'
    )
