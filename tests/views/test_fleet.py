"""The fleet board without a browser: states, rights, cancel, errors, pictures, one at a time."""

import asyncio
import getpass
import json
import re
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import ipywidgets
import pytest

from labkit import views
from labkit.errors import ApprovalError, InputError, PrinterError
from labkit.files import sha256_of
from labkit.home import home_folder
from labkit.printing import desk
from labkit.printing.attending import QueueWork, Watches
from labkit.printing.board import LabNow, PrinterNow, lab_now, look_at, sliced_cases
from labkit.printing.case_prints import case_print
from labkit.printing.fleet import Seen
from labkit.printing.jobs import Job, Register, planned_job
from labkit.printing.printed_files import PrintedFile, PrintedFiles, picture_in, read_printed
from labkit.printing.queue import Queue
from labkit.printing.servers.messages import Heater, Phase, RunningJob
from labkit.printing.watching import Progress
from labkit.slicing.frozen import thumbnail_block
from labkit.views import fleet_cards, print_style
from labkit.views.errands import LoopErrands
from labkit.views.fleet import Board
from labkit.views.fleet_cards import Card
from labkit.views.fleet_queue import LookDesk, QueueDesk
from labkit.views.fleet_sending import SendForm
from labkit.views.fleet_words import everything, head, state_of
from labkit.views.printer_beside import PrinterBeside
from labkit.views.stills import still
from tests.printing.cases import LAYERS, part_picture, pictured_case
from tests.views.at_once import AtOnce

JOB = Job("0a1b2c3d4e", "C-0001", "bench-1", 1, False, 1000, "", "", "", "printing")


@pytest.fixture(autouse=True)
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABKIT_HOME", str(tmp_path / "lab"))
    monkeypatch.delenv("LABKIT_DATABASE_URL", raising=False)
    monkeypatch.setattr(getpass, "getuser", lambda: "cmiller")


def people(text: str) -> None:
    (home_folder() / "people.yaml").write_text(text)


def here(phase: Phase | None, state: str = "", job: Job | None = None, **more: Any) -> PrinterNow:
    """A printer in a phase; None: it does not answer."""
    now = None
    if phase is not None:
        name = more.pop("file_name", JOB.file_name)
        now = RunningJob(phase, state, name, 250, 60.0, done_share=0.25)
    about = {name: more.pop(name) for name in ("file", "alarms", "may_not") if name in more}
    seen = Seen("bench-1", False, now=now, job=job, product="OctoPrint", version="1", **more)
    if now is None:
        seen = replace(seen, trouble="no route to it")
    return PrinterNow(seen, **about)


STATES = {
    "no answer": (here(None), "✘ does not answer: no route to it"),
    "ready": (here("ready", "Operational"), "✔ ready"),
    "printing": (here("busy", "Printing", JOB), "▶ printing"),
    "cancelling": (here("busy", "Cancelling", JOB), "▶ cancelling"),
    "paused": (here("paused", "Paused", JOB), "‖ paused"),
    "offline": (here("offline", "Offline"), "✘ offline: Offline"),
    "foreign": (here("busy", "Printing"), "◆ prints something that is not of this lab's register"),
    "foreign over ours": (
        here("busy", "Printing", JOB, file_name="other.gcode"),
        "◆ prints something that is not of this lab's register",
    ),
    "lost": (
        here("ready", "Operational", replace(JOB, state="lost")),
        "▲ look at this printer: job 0a1b2c3d4e was lost",
    ),
    "left": (
        here("ready", "Operational", JOB),
        "▲ idle, but the end of job 0a1b2c3d4e is not written down",
    ),
}


@pytest.mark.parametrize("name", STATES)
def test_each_state_is_a_sign_and_words(name: str) -> None:
    now, words = STATES[name]
    assert str(state_of(now)) == words
    text = everything([now], LabNow())
    assert words in text.text
    assert "Nothing waits." in text.text
    html = head(now)
    assert words.split(maxsplit=1)[1].replace("'", "&#x27;") in html
    assert ("progressbar" in html) is (now.seen.now is not None and now.seen.now.is_busy)


def test_signs_alone_tell_apart_what_a_person_does_other_things_about() -> None:
    signs = {str(state_of(now))[0] for now, _ in STATES.values()}
    assert len(signs) == 6


def _contrast(colour: str) -> float:
    """With white, after WCAG 2.2."""
    shares = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [s / 12.92 if s <= 0.04045 else ((s + 0.055) / 1.055) ** 2.4 for s in shares]
    return 1.05 / (0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2] + 0.05)


def test_every_colour_of_text_can_be_read_on_white() -> None:
    used = set(re.findall(r"(?<!-)color: (#\w{6})", print_style.STYLE))
    used |= {state_of(now).colour for now, _ in STATES.values()}
    assert len(used) >= 5
    assert min(map(_contrast, used)) >= 4.5


def test_a_card_tells_job_layer_time_and_heat(tmp_path: Path) -> None:
    gcode = pictured_case(tmp_path / "case", "C-0001", dwells=9).product("04_slicing", "part.gcode")
    known = read_printed(gcode)
    assert known.plan is not None
    at = known.plan.offset_bytes[4] + 1
    now = RunningJob("busy", "Printing", JOB.file_name, at, 10.0, done_share=0.3)
    heaters = (Heater("tool0", 208.6, 210), Heater("bed", 30, 0))
    seen = Seen("bench-1", False, now=now, job=JOB, heaters=heaters)
    card = _card()
    card.show(PrinterNow(seen, known, ("ALARM: no movement for 60 s",)))
    shown = _html(card.widget)
    for told in (
        *("30 %", "C-0001", "0a1b2c3d4e", f"layer 5 of {LAYERS}", "s left", "209 of 210 °C"),
        *("bed 30 °C, off", "ALARM: no movement", 'role="alert"', "data:image/png", "no camera"),
    ):
        assert told in shown, told
    card.show(PrinterNow(seen, replace(known, picture=None)))
    assert "no picture: layer 5" in _html(card.widget)
    card.show(PrinterNow(seen, known), part_picture())
    assert "<figcaption>camera</figcaption>" in _html(card.widget)


def _html(box: Any) -> str:
    if isinstance(box, ipywidgets.HTML):
        return str(box.value)
    return "".join(map(_html, getattr(box, "children", ())))


class Blind(Card):
    """A card that sees only what it is shown."""

    def look(self) -> None:
        pass


def _card(errands: AtOnce | None = None) -> Card:
    return Blind("bench-1", errands or AtOnce(), Watches(), PrintedFiles(Path("cases")))


def test_buttons_follow_the_state() -> None:
    card = _card()

    def open_buttons(now: PrinterNow) -> str:
        card.show(now)
        buttons = (card.pause, card.resume, card.cancel, card.watch)
        return " ".join(b.description for b in buttons if not b.disabled)

    assert open_buttons(STATES["printing"][0]) == "Pause Cancel Watch"
    assert open_buttons(STATES["paused"][0]) == "Resume Cancel Watch"
    assert open_buttons(STATES["left"][0]) == "Watch"
    for name in ("ready", "no answer", "offline", "foreign"):
        assert open_buttons(STATES[name][0]) == ""


def test_who_may_not_sees_why_and_is_refused_all_the_same() -> None:
    people("asmith: [cancel]\n")
    card = _card()
    now, _ = STATES["printing"]
    card.show(replace(now, may_not="cmiller may not cancel prints in this lab"))
    assert card.pause.disabled and card.resume.disabled and card.cancel.disabled
    assert "cmiller may not cancel" in _html(card.widget)
    card.pause.click()
    assert "Found: cmiller may not cancel prints in this lab" in card.answer.value
    card.cancel.click()
    card.cancel.click()
    assert "Found: cmiller may not cancel prints in this lab" in card.answer.value


def test_cancel_asks_once_more_and_forgets(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[tuple[str, str]] = []

    def act(name: str, deed: str) -> str:
        done.append((name, deed))
        return f"{deed} done"

    monkeypatch.setattr(fleet_cards, "act", act)
    errands = AtOnce()
    card = _card(errands)
    card.cancel.click()  # nothing was seen yet
    assert "no print of this lab" in card.answer.value
    card.show(STATES["printing"][0])
    card.cancel.click()
    assert card.cancel.description == "Really cancel?"
    errands.waiting.pop()()  # the time is over
    assert card.cancel.description == "Cancel"
    assert "Nothing was cancelled" in card.answer.value
    card.cancel.click()
    card.show(here("busy", "Printing", replace(JOB, job_id="ffff000011"), file_name="x"))
    assert card.cancel.description == "Cancel"  # another print: what was meant is over
    card.show(STATES["printing"][0])
    assert done == []
    card.cancel.click()
    card.show(STATES["printing"][0])
    card.cancel.click()
    assert done == [("bench-1", "cancel")]
    assert card.answer.value == fleet_cards.said("cancel done")
    errands.waiting.pop()()
    assert card.answer.value == fleet_cards.said("cancel done")


def test_the_printer_of_a_run_is_shown_while_the_run_is_at_work(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[tuple[str, bool]] = []

    def look_at(name: str, _: PrintedFiles, *, pictures: bool) -> PrinterNow:
        asked.append((name, pictures))
        return STATES["printing"][0]

    monkeypatch.setattr(fleet_cards, "look_at", look_at)
    errands = AtOnce()
    beside = PrinterBeside(Path("cases"), errands)
    beside.show("bench-1")
    beside.show("bench-1")
    assert "bench-1" in _html(beside.widget)
    errands.waiting.pop()()  # some seconds later
    assert asked == [("bench-1", True), ("bench-1", False)]  # a camera is asked less often
    beside.show("")
    assert _html(beside.widget) == ""
    errands.waiting.pop()()
    assert len(asked) == 2
    assert errands.waiting == []


def test_an_error_is_a_paragraph(monkeypatch: pytest.MonkeyPatch) -> None:
    def act(name: str, deed: str) -> str:
        raise PrinterError("<no> answer", expected="one", where=name, fix="look at it")

    monkeypatch.setattr(fleet_cards, "act", act)
    card = _card()
    card.show(STATES["printing"][0])
    card.pause.click()
    assert card.answer.value.startswith('<p role="status">Found: &lt;no&gt; answer. Expected: one')


def test_pictures_in_gcode(tmp_path: Path) -> None:
    small, large = part_picture(), still(None, part_picture(), "x")
    assert large is not None
    path = tmp_path / "a.gcode"

    def found(content: bytes) -> bytes | None:
        path.write_bytes(content)
        return picture_in(path)

    head_line, end = b"; generated by PrusaSlicer 2.5.0\n", b"G28\nG1 X1\n"
    block = thumbnail_block(small)
    assert found(head_line + block + end) == small
    assert found(head_line.replace(b"\n", b"\r\n") + block.replace(b"\n", b"\r\n") + end) == small
    assert found(head_line + end) is None
    assert found(b"") is None
    assert found(end + block) is None  # after the first command it is a comment like any other
    assert found(block[: len(block) // 2]) is None
    assert found(block.replace(b"\n; ", b"\n; !", 2) + end) is None
    assert found(re.sub(rb"begin \d+x\d+ \d+", b"begin 16x16 4", block) + end) is None
    tiny = b"; thumbnail begin 16x16 4\n; AAAA\n; thumbnail end\n"
    assert found(tiny + block + tiny + end) == small
    assert read_printed(tmp_path / "gone.gcode") == PrintedFile(tmp_path / "gone.gcode", None, None)


def test_picture_in_a_file_of_prusaslicer_itself(real_data: Path) -> None:
    png = picture_in(real_data / "gcode_fdm/demo/gcodes/screw.gcode")
    picture = still(None, png, "bench-1", "layer 1 of 2")
    assert png is not None and picture is not None
    assert png[16:24] == bytes([0, 0, 0, 220, 0, 0, 0, 124])  # the larger of its two
    assert picture.alt == "picture in the G-code printed on bench-1, layer 1 of 2"
    others = [p for p in real_data.glob("gcode_fdm/**/*.gcode") if p.name != "screw.gcode"]
    assert others
    assert [picture_in(path) for path in others[:5]] == [None] * len(others[:5])


def test_stills_that_are_no_pictures_are_left_out() -> None:
    assert still(b"\xff\xd8 broken", None, "x") is None
    shown = still(b"\xff\xd8 broken", part_picture(), "x")
    assert shown is not None and shown.alt.startswith("picture in the G-code")


def _planned(gcode: Path, code: str = "C-0001", printer: str = "practice-2") -> Job:
    return planned_job(gcode, case_code=code, printer_name=printer, attempt=1, practice=True)


def _lost(gcode: Path) -> Job:
    job, register = _planned(gcode), Register()
    register.plan(job)
    register.advance(job.job_id, "printing", "accepted", only_from=("planned",))
    register.note(job.job_id, "ALARM: no movement")
    register.advance(job.job_id, "lost", "lost contact", only_from=("printing",))
    return job


def test_the_file_behind_a_job_is_found_in_its_case_or_in_the_queue(tmp_path: Path) -> None:
    cases = tmp_path / "cases"
    gcode = pictured_case(cases / "a", "C-0001").product("04_slicing", "part.gcode")
    job = _lost(gcode)
    found = look_at("practice-2", PrintedFiles(cases))
    assert found.seen.trouble == "the practice printer does not run"
    assert found.file is not None and found.file.path == gcode
    assert found.alarms == ("ALARM: no movement",)
    elsewhere = PrintedFiles(tmp_path / "nowhere")
    assert elsewhere.of(job) is None
    assert elsewhere.of(job) is None
    desk.enqueue(case_print(cases / "a"), practice=True)
    asked = PrintedFiles(tmp_path / "nowhere").of(job)
    assert asked is not None and asked.picture == part_picture()


def test_a_lost_job_is_settled_by_who_says_what_was_seen(tmp_path: Path) -> None:
    gcode = pictured_case(tmp_path / "cases" / "a", "C-0001").product("04_slicing", "part.gcode")
    job = _lost(gcode)
    looked: list[bool] = []
    desk_ = LookDesk(AtOnce(), lambda: looked.append(True))
    desk_.show(LabNow())
    assert desk_.widget.layout.display == "none"
    desk_.show(lab_now())
    assert desk_.widget.layout.display == ""
    assert desk_.job.value == job.job_id
    desk_.settle.click()
    assert "not what was seen" in desk_.answer.value
    desk_.saw.value = "the bed is empty"
    desk_.settle.click()
    assert f"job {job.job_id} of C-0001: failed" in desk_.answer.value
    assert looked == [True]
    assert "the bed is empty" in Register().read(job.job_id).history[-1].seen
    assert lab_now().to_look_at == ()


def test_a_start_without_an_answer_is_looked_at_after_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gcode = pictured_case(tmp_path / "cases" / "a", "C-0001").product("04_slicing", "part.gcode")
    job, register = _planned(gcode), Register()
    register.plan(job)
    register.advance(job.job_id, "starting", "asked for", only_from=("planned",))
    assert lab_now().to_look_at == ()
    monkeypatch.setattr("labkit.printing.board.START_KNOWN_AFTER_S", -1.0)
    assert [one.state for one in lab_now().to_look_at] == ["starting"]


def test_a_real_job_is_settled_only_by_who_may() -> None:
    people("asmith: [settle]\n")
    desk_ = LookDesk(AtOnce(), lambda: None)
    desk_.show(LabNow((), (replace(JOB, state="lost"),)))
    assert desk_.settle.disabled
    assert "cmiller may not settle prints in this lab" in _html(desk_.widget)


@pytest.fixture
def form(tmp_path: Path) -> SendForm:
    """The form with one case that was sliced for a real printer, and a folder named badly."""
    cases = tmp_path / "cases"
    pictured_case(cases / "Smith_John", "C-0001", profile="MK3S")
    made = SendForm(AtOnce(), Watches(), lambda: None)
    made.show_printers(["bench-1", "practice"])
    made.show_cases(sliced_cases(cases))
    return made


def test_a_case_goes_to_the_queue_with_the_word_of_who_looked(form: SendForm) -> None:
    assert form.case.value == "C-0001"
    sha256 = case_print(next(iter(form._cases.values()))).sheet.sha256
    shown = _html(form.widget)
    assert sha256[:16] in shown and sha256 not in shown
    assert "data:image/png" in shown and "sliced for MK3S, PLA" in shown
    assert form.send.disabled and "To approve: look" in form.reason.value
    form.name.value = "C. Miller"
    assert form.send.disabled
    form.ticked.value = True
    assert not form.send.disabled
    assert form.send.description == "Approve, and send to the queue"
    form.priority.value = "urgent"
    form.lot.value = "L-7"
    form.send.click()
    (request,) = Queue().requests()
    assert request.approval == f"approved by C. Miller: {sha256}"
    assert (request.need.priority, request.material_lot) == ("urgent", "L-7")
    assert (request.asked_by, request.practice) == ("cmiller", False)
    assert not form.ticked.value  # the next one is looked at again
    assert form.send.disabled


def test_no_folder_is_named(form: SendForm) -> None:
    assert "Smith" not in _html(form.widget) + str(form.case.options)
    folder = next(iter(form._cases.values()))
    (folder / "04_slicing" / "result.json").unlink()
    form.name.value, form.ticked.value = "C. Miller", True
    form.send.click()
    assert "Found:" in form.answer.value
    assert "Smith" not in form.answer.value


def test_what_was_made_since_the_look_is_not_approved(form: SendForm) -> None:
    form.name.value, form.ticked.value = "C. Miller", True
    folder = next(iter(form._cases.values())) / "04_slicing"
    gcode, told = folder / "part.gcode", folder / "gcode.json"
    gcode.write_bytes(gcode.read_bytes() + b"; again\n")
    told.write_text(json.dumps({**json.loads(told.read_text()), "sha256": sha256_of(gcode)}))
    form.send.click()
    assert "an approval of another file" in form.answer.value
    assert Queue().requests() == []
    assert sha256_of(gcode)[:16] in form.about.value  # which is what there is to look at now
    assert not form.ticked.value


@pytest.mark.parametrize("rights", ["[start]", "[approve]", "[cancel]"])
def test_who_may_not_start_or_approve_cannot_send(form: SendForm, rights: str) -> None:
    people(f"cmiller: {rights}\n")
    form._choose()
    form.name.value, form.ticked.value = "C. Miller", True
    lacks = "start" if rights != "[start]" else "approve"
    assert form.send.disabled
    assert f"cmiller may not {lacks} prints in this lab" in form.reason.value
    form.send.click()
    assert "Found: cmiller may not" in form.answer.value
    assert Queue().requests() == []
    form.printer.value = "practice"  # to practise everybody may
    assert not form.send.disabled and form.name.disabled
    assert form.send.description == "Start the print"


def test_the_other_printer_is_refused_in_words(form: SendForm) -> None:
    (home_folder() / "printers.yaml").write_text("bench-1: {url: 'http://x', key_file: k}\n")
    form.printer.value = "bench-1"
    form.name.value, form.ticked.value = "C. Miller", True
    assert form.send.description == "Approve, and start the print"
    form.send.click()
    assert "sliced and checked for the printer MK3S" in form.answer.value


def test_a_waiting_request_is_withdrawn_with_a_reason(form: SendForm) -> None:
    form.practice.value = True
    form.send.click()
    assert "request 1 of C-0001: waiting" in form.answer.value
    queue = QueueDesk(AtOnce(), QueueWork(), lambda: None)
    queue.show(lab_now())
    assert "○ waiting" in queue.table.value and queue.number.value == 1
    queue.withdraw.click()
    assert "why it is withdrawn" in queue.answer.value
    queue.why.value = "designed anew"
    queue.withdraw.click()
    assert "request 1: withdrawn" in queue.answer.value
    queue.show(lab_now())
    assert "Nothing waits." in queue.table.value


def test_one_dispatcher_at_a_time() -> None:
    work, other = QueueWork(), QueueWork()
    queue = QueueDesk(AtOnce(), work, lambda: None)
    queue.begin.click()
    assert work.goes_on
    assert queue.begin.disabled and not queue.leave.disabled
    with pytest.raises(InputError, match="worked through already"), desk.only_dispatcher():
        pass
    second = QueueDesk(AtOnce(), other, lambda: None)
    second.begin.click()
    assert "the queue is being worked through already" in second.answer.value
    assert not other.goes_on and not second.begin.disabled
    queue.leave.click()
    assert not work.goes_on
    assert "Stopped." in queue.answer.value
    with desk.only_dispatcher():
        pass


def test_a_watch_that_cannot_be_is_told() -> None:
    watches = Watches()
    watches.begin("0a1b2c3d4e", "practice-2", None)
    watches._threads["0a1b2c3d4e"].join(10)
    assert not watches.is_watched("0a1b2c3d4e")
    assert "the practice printer does not run" in watches.told("0a1b2c3d4e")


def test_a_board_on_a_loop_shows_what_it_asks_and_stops(tmp_path: Path) -> None:
    pictured_case(tmp_path / "cases" / "a", "C-0001")
    state = home_folder() / "practice-2"
    state.mkdir()
    (state / "server.json").write_text(json.dumps({"url": "http://127.0.0.1:9"}))

    async def shown() -> str:
        board = Board(tmp_path / "cases", 0.2)
        board.begin()
        for _ in range(100):
            await asyncio.sleep(0.05)
            told = _html(board.widget)
            if "does not run" in told and board.sending.case.value and "Seen at" in told:
                break
        board.stop()
        board.cards["practice-2"].pause.click()
        await asyncio.sleep(0)
        return f"{told}{board.state.value}{board.cards['practice-2'].answer.value}"

    told = asyncio.run(shown())
    assert "✘ does not answer: the practice printer does not run" in told
    assert "not refreshed any more" in told
    assert "This board was left" in told


def test_a_cell_that_is_run_again_stops_the_board_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("labkit.views.fleet.somebody_looks_on", lambda: True)

    async def states() -> list[str]:
        made = [views.fleet_board(tmp_path), views.fleet_board(tmp_path)]
        boards = [board for board in made if isinstance(board, Board)]
        await asyncio.sleep(0.1)
        boards[1].stop()
        return [board.state.value for board in boards]

    before = signal.getsignal(signal.SIGINT)
    told = asyncio.run(states())
    assert all("not refreshed any more" in state for state in told)
    assert signal.getsignal(signal.SIGINT) is before


def test_where_nobody_looks_on_it_is_drawn_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[Any] = []
    now, _ = STATES["printing"]
    known = replace(now, file=PrintedFile(tmp_path / "x", part_picture(), None))
    monkeypatch.setattr("labkit.views.fleet.display", shown.append)
    monkeypatch.setattr("labkit.views.fleet.known_printers", lambda: ["bench-1"])
    monkeypatch.setattr("labkit.views.fleet.look_at", lambda name, files: known)
    board = views.fleet_board(tmp_path)
    assert isinstance(board, views.Words)
    assert "▶ printing" in board.text and "25 %" in board.text and "C-0001" in board.text
    assert [picture.alt for picture in shown] == ["picture in the G-code printed on bench-1"]


def test_an_errand_that_fails_by_our_fault_is_said_and_not_raised() -> None:
    async def said() -> list[str]:
        told: list[str] = []
        errands = LoopErrands(asyncio.get_running_loop())
        errands.start(lambda: 1 // 0, lambda _: None, told.append)
        while not told:
            await asyncio.sleep(0.01)
        errands.stop()
        return told

    assert asyncio.run(said()) == [
        "A fault of the program, not of the lab: ZeroDivisionError. Report it."
    ]


@pytest.mark.parametrize(("right", "lacks"), [("start", "approve"), ("approve", "start")])
def test_rights_are_checked_behind_the_buttons(tmp_path: Path, right: str, lacks: str) -> None:
    people(f"asmith: [start]\ncmiller: [{right}]\n")
    pictured_case(tmp_path / "case", "C-0001", profile="MK3S")
    wanted = case_print(tmp_path / "case")
    with pytest.raises(ApprovalError, match=f"cmiller may not {lacks}"):
        desk.enqueue(
            wanted, approved_by="A. Smith", approved_sha256=wanted.sheet.sha256, material_lot="L"
        )


class Stage:
    headless = False

    def __init__(self) -> None:
        self.told: list[object] = []

    def tell(self, progress: object) -> None:
        self.told.append(progress)


def test_a_print_that_nobody_looks_on_is_words_only(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[Any] = []
    monkeypatch.setattr("labkit.views.bars.display", shown.append)
    stage, progress = Stage(), Progress("Printing", 250, 1000, "Printing")
    views.printing(stage, planned=part_picture())(progress)
    assert (shown, stage.told) == ([], [progress])


def test_a_print_by_hand_shows_layer_heat_alarm_and_picture(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shown: list[Any] = []
    monkeypatch.setattr("labkit.views.bars.display", shown.append)
    monkeypatch.setattr("labkit.views.bars.somebody_looks_on", lambda: True)
    asked: list[bool] = []

    def camera() -> None:
        asked.append(True)

    stage = Stage()
    on_progress = views.printing(stage, camera=camera, planned=part_picture())
    bed = (Heater("bed", 59, 60),)
    on_progress(Progress("Printing", 250, 1000, "Printing", 3, 20, 90, bed))
    on_progress(Progress("Printing", 260, 1000, "ALARM: no movement for 60 s", 3, 20, 90, bed))
    told = _html(shown[0])
    for words in ("layer 3 of 20", "bed 59 of 60 °C", "ALARM: no movement", "data:image/png"):
        assert words in told, words
    assert 'role="alert"' in told and "as planned: no camera" in told
    assert stage.told == []
    assert asked == [True]  # the second came within the same five seconds
