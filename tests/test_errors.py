import pytest

from labkit.errors import (
    EvidenceError,
    LabkitError,
    PrinterError,
    RefusedError,
    ScanError,
    StorageError,
)


def _error(kind: type[LabkitError] = ScanError) -> LabkitError:
    return kind("3 gaps\nin one series", expected="none", where="the source", fix="export again")


def test_an_error_is_one_paragraph_that_says_found_expected_where_and_next() -> None:
    text = str(_error())
    assert "\n" not in text
    assert text == (
        "Found: 3 gaps in one series. Expected: none. Where: the source. Do next: export again"
    )


def test_a_part_that_ends_in_a_full_stop_gets_no_second_one() -> None:
    error = ScanError("It is cut short.", expected="a whole file", fix="export again")
    assert str(error) == "Found: It is cut short. Expected: a whole file. Do next: export again"


@pytest.mark.parametrize(
    ("kind", "code"),
    [(ScanError, 2), (RefusedError, 1), (PrinterError, 3), (StorageError, 3), (EvidenceError, 4)],
)
def test_exit_codes_are_those_of_the_contract(kind: type[LabkitError], code: int) -> None:
    assert kind.exit_code == code


def test_an_error_comes_back_from_a_notebook_as_it_was() -> None:
    error = _error(EvidenceError)
    back = LabkitError.from_notebook("EvidenceError", error._render_traceback_())
    assert type(back) is EvidenceError
    assert back.as_dict() == error.as_dict()


def test_other_errors_of_a_notebook_are_not_taken_for_ours() -> None:
    assert LabkitError.from_notebook("ValueError", ["ValueError", "Found: x"]) is None
    assert LabkitError.from_notebook("ScanError", ["Traceback (most recent call last)"]) is None
