from pathlib import Path

import pytest

from labkit.case import STAGES, Case, Order, read_order
from labkit.errors import CaseError


def test_a_new_case_holds_its_order(case: Case, order: Order) -> None:
    assert case.order == order
    assert Case(case.root).order == order


def test_a_folder_that_is_in_use_is_not_taken(case: Case, order: Order) -> None:
    with pytest.raises(CaseError, match="not empty"):
        Case.create(case.root, order)


def test_a_folder_without_an_order_is_no_case(tmp_path: Path) -> None:
    with pytest.raises(CaseError, match=r"no file order\.yaml"):
        Case(tmp_path)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("case: [", "cannot be read"),
        ("- 1", "the whole"),
        ("case: C-1\npatient_name: Doe", "patient_code"),
        ("case: ../../etc", "case"),
        ("laterality: left\ncase: C-1\nlaterality: right", "laterality is given twice"),
        ("a: b\nc: d: e", "line 2"),
        ("case: C-1\npatient_code: Hans Müller", "patient_code"),
    ],
)
def test_a_bad_order_is_refused_by_field(tmp_path: Path, text: str, found: str) -> None:
    (tmp_path / "order.yaml").write_text(text)
    with pytest.raises(CaseError) as caught:
        read_order(tmp_path / "order.yaml")
    assert found in caught.value.found


def test_a_repeated_stage_is_a_new_revision(case: Case) -> None:
    names = []
    for _ in range(3):
        folder = case.publish(case.stage_in_work("03_design"), "03_design")
        names.append(folder.name)
    assert names == ["03_design", "03_design.r2", "03_design.r3"]
    assert case.revisions("03_design") == [case.root / name for name in names]
    assert case.current("03_design") == case.root / "03_design.r3"
    assert not (case.root / ".staging").exists()


def test_other_folders_are_no_revisions(case: Case) -> None:
    for name in ("03_design.r1", "03_design.r02", "03_design.old", "x03_design"):
        (case.root / name).mkdir()
    assert case.revisions("03_design") == []


def test_left_overs_of_a_dead_run_are_cleared(case: Case) -> None:
    (case.stage_in_work("01_scan") / "half").write_text("x")
    assert list(case.stage_in_work("01_scan").iterdir()) == []


def test_a_missing_product_says_which_stage_to_run(case: Case) -> None:
    with pytest.raises(CaseError, match="01_scan has not been done"):
        case.product("01_scan", "volume.nrrd")
    (case.root / "01_scan").mkdir()
    with pytest.raises(CaseError, match=r"holds no volume\.nrrd"):
        case.product("01_scan", "volume.nrrd")
    with pytest.raises(CaseError, match=r"result\.json"):
        case.result("01_scan")


def test_an_unknown_stage_is_a_fault_of_the_code(case: Case) -> None:
    with pytest.raises(ValueError, match="unknown stage"):
        case.current("08_billing")
    assert len(STAGES) == 7
