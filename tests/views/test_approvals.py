"""A person approves exactly the bytes that were shown."""

from pathlib import Path
from typing import Any

from labkit import views
from labkit.errors import ParameterError
from labkit.files import sha256_of
from labkit.views.approvals import ApprovalDesk
from labkit.views.words import Words
from tests.printing.gcode import write_gcode


class Stage:
    headless = False
    parameters: Any = None

    def __init__(self) -> None:
        self.left_open: dict[str, str] = {}
        self.accepted: list[dict[str, Any]] = []

    def accept(self, values: dict[str, Any]) -> str:
        self.accepted.append(values)
        return "Used from here on."


def test_nobody_looking_on_it_says_which_file_it_is(tmp_path: Path) -> None:
    gcode = write_gcode(tmp_path / "part.gcode")
    shown = views.approving(Stage(), gcode)
    assert isinstance(shown, Words)
    assert sha256_of(gcode) in shown.text


def test_it_takes_a_name_a_tick_and_a_press(lab_home: Path) -> None:
    stage = Stage()
    desk = ApprovalDesk(stage, "ab" * 32, may_not="")
    assert desk.use.disabled
    desk.name.value = "surgeon 2"
    assert desk.use.disabled
    assert stage.left_open == {"the approval": "begun, not given"}
    desk.ticked.value = True
    desk.use.click()
    assert stage.accepted == [{"approved_sha256": "ab" * 32, "approved_by": "surgeon 2"}]
    assert not stage.left_open
    assert "Approved by surgeon 2" in desk.answer.value


def test_who_may_not_approve_cannot(lab_home: Path) -> None:
    desk = ApprovalDesk(Stage(), "ab" * 32, may_not="anna may not approve prints in this lab")
    assert desk.name.disabled
    assert "anna may not approve" in desk.answer.value
    lab_home.mkdir(exist_ok=True)
    (lab_home / "people.yaml").write_text("somebody-else: [approve]\n")
    stage = Stage()
    late = ApprovalDesk(stage, "ab" * 32, may_not="")  # the right was withdrawn meanwhile
    late.name.value, late.ticked.value = "surgeon 2", True
    late.use.click()
    assert "Not approved." in late.answer.value
    assert stage.accepted == []


def test_what_the_stage_refuses_is_shown(lab_home: Path) -> None:
    class Strict(Stage):
        def accept(self, values: dict[str, Any]) -> str:
            raise ParameterError("x", expected="<y>", where="here", fix="z")

    desk = ApprovalDesk(Strict(), "ab" * 32, may_not="")
    desk.name.value, desk.ticked.value = "a", True
    desk.use.click()
    assert "&lt;y&gt;" in desk.answer.value
    assert 'role="status"' in desk.answer.value
