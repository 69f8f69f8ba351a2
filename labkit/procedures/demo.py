"""The demo: the sample scan through all stages, judged by the stock in-toto verifier."""

import sys
from pathlib import Path
from typing import Any

from labkit.case import STAGES, Case
from labkit.errors import CaseError
from labkit.procedures.run import Say, exit_code, run_case
from labkit.procedures.sample import DECISIONS, is_sample, sample_order, sample_scan
from labkit.processes import Finished, run
from labkit.traceability.procedure import procedure
from labkit.traceability.release import INSPECTION
from labkit.views.case_page import NAME as CASE_PAGE


def run_demo(folder: Path | None, *, say: Say) -> dict[str, Any]:
    """Run the demo; case folder, record, page, stages with times, the verifier's word.

    Raises
    ------
    CaseError
        The folder named is there already and is no case of the demo.
    """
    root = _free_folder() if folder is None else folder
    if not (root / "order.yaml").exists():
        Case.create(root, sample_order())
    case = Case(root)
    if not is_sample(case.order):
        raise CaseError(
            f"case {case.order.case}, which is no case of the demo",
            expected="a new folder, or one that the demo made",
            where=str(case.root),
            fix="choose another folder: the demo must not touch a case of yours",
        )
    scan = {"01_scan": {"source": str(sample_scan())}}
    outcomes = run_case(case.root, procedure("practice"), overrides={**DECISIONS, **scan}, say=say)
    report = {"case": str(case.root), "stages": [vars(outcome) for outcome in outcomes]}
    if outcomes[-1].stage != STAGES[-1]:
        return report | {"record": "", "page": "", "in_toto_verify": "not released", "exit_code": 1}
    judged = stock_in_toto_verify(case.root)
    return report | {
        "record": str(case.product(STAGES[-1], "record.pdf")),
        "page": str(case.evidence / CASE_PAGE),
        "in_toto_verify": "accepted" if judged.exit_code == 0 else judged.errors.strip(),
        "exit_code": exit_code(outcomes) or (0 if judged.exit_code == 0 else 4),
    }


def stock_in_toto_verify(root: Path) -> Finished:
    """What the verifier of the in-toto project itself says of a sealed case; 0: accepted."""
    words: list[str | Path] = [Path(sys.executable).with_name("in-toto-verify")]
    words += ["--layout", "evidence/root.layout", "--verification-keys", "evidence/qa.pub"]
    try:
        return run([*words, "--link-dir", "evidence"], folder=root, timeout_s=600)
    finally:
        (root / f"{INSPECTION}.link").unlink(missing_ok=True)  # the verifier's own note


def _free_folder() -> Path:
    cases = Path("cases")
    number = 1
    while (cases / f"demo-{number}").exists():
        number += 1
    return cases / f"demo-{number}"
