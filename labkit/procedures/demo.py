"""The demo: the sample scan through all stages, judged by the stock in-toto verifier."""

import secrets
import sys
from pathlib import Path
from typing import Any

from labkit.case import STAGES, Case, Order, read_order
from labkit.errors import CaseError
from labkit.procedures.notebooks import shipped
from labkit.procedures.run import Overrides, Say, exit_code, run_case
from labkit.processes import Finished, run
from labkit.traceability.procedure import procedure
from labkit.traceability.release import INSPECTION

DECISIONS: Overrides = {
    "02_segmentation": {"components": 2},
    "03_design": {"keep_from_mm": 55.0},
    "04_slicing": {"layer_height_mm": 0.3, "infill_percent": 10},
}
"""Radius and ulna, their wrist ends, quick to print."""


CODE = "SAMPLE-"
"""How the case codes of the demo begin."""


def run_demo(folder: Path | None, *, say: Say) -> dict[str, Any]:
    """Run the demo; the case folder, the record, the stages with times, the verifier's word.

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
        return report | {"record": "", "in_toto_verify": "not released", "exit_code": 1}
    judged = stock_in_toto_verify(case.root)
    return report | {
        "record": str(case.product(STAGES[-1], "record.pdf")),
        "in_toto_verify": "accepted" if judged.exit_code == 0 else judged.errors.strip(),
        "exit_code": exit_code(outcomes) or (0 if judged.exit_code == 0 else 4),
    }


def sample_order() -> Order:
    """The order of an exercise on the sample scan, with a case code of its own.

    A case of the same code and G-code would not be printed again.
    """
    order = read_order(shipped("sample_data") / "order.yaml")
    own = secrets.token_hex(2).upper()
    while own.isalpha():  # the form for orders takes a code without a digit for a name
        own = secrets.token_hex(2).upper()
    return order.model_copy(update={"case": f"{CODE}{own}"})


def is_sample(order: Order) -> bool:
    """Whether an order is an exercise on the sample scan."""
    return order.practice and order.case.startswith(CODE)


def sample_scan() -> Path:
    """The folder of the sample scan."""
    return shipped("sample_data") / "ct_forearm"


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
