"""The procedure that comes with the kit, and what is refused of others."""

import pytest
from pydantic import ValidationError

from labkit.case import STAGES
from labkit.errors import ParameterError
from labkit.traceability.procedure import Procedure, procedure


def test_the_practice_procedure_says_what_it_is() -> None:
    practice = procedure("practice")
    assert practice.name == "practice"
    assert practice.status == "practice: not validated"
    assert tuple(entry.stage for entry in practice.stages) == STAGES
    assert {entry.role for entry in practice.stages} == {"operator"}
    assert practice.release_role == "qa"


def test_an_unknown_one_is_refused_by_name() -> None:
    with pytest.raises(ParameterError, match=r"no procedure 'practise'.*nearest name is practice"):
        procedure("practise")


def test_it_cannot_be_changed_in_passing() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        procedure("practice").layout_expiry_years = 1


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("stages", []),
        ("stages", [{"stage": stage, "role": "operator"} for stage in reversed(STAGES)]),
        ("release_role", "operator"),
        ("layout_expiry_years", 0),
        ("certified", True),
    ],
)
def test_what_is_no_procedure_is_refused(field: str, value: object) -> None:
    fields = procedure("practice").model_dump() | {field: value}
    with pytest.raises(ValidationError, match=field):
        Procedure.model_validate(fields)
