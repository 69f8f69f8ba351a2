"""The fleet board in a real JupyterLab, with two real practice OctoPrints: all by clicks."""

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import yaml
from playwright.sync_api import Locator, Page, expect

from labkit.printing.jobs import Register, planned_job
from labkit.printing.servers.practice import PracticePrinter, install_server
from tests.browser.lab import Server, run_all, running_lab, without_faults
from tests.printing.cases import pictured_case
from tests.printing.gcode import write_gcode

BOARD = """
from labkit import views
views.fleet_board("cases", refresh_s=0.5)
"""
SOON_MS = 15_000


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """JupyterLab, a lab with a case and a lost job, two printers that run, one that hangs."""
    install_server(lambda _: None)
    place = tmp_path_factory.mktemp("lab")
    home = place / "home" / "LABKIT_HOME"
    home.mkdir(parents=True)
    printers = [PracticePrinter(number=number) for number in (1, 2)]
    with (
        pytest.MonkeyPatch.context() as patch,
        socket.create_server(("127.0.0.1", 0)) as silent,
        ThreadPoolExecutor() as threads,
    ):
        patch.setenv("LABKIT_HOME", str(home))
        patch.delenv("LABKIT_DATABASE_URL", raising=False)
        try:
            started = [threads.submit(one.start) for one in printers]
            _write_lab(home, silent.getsockname()[1])
            _lose_a_job(place)
            with running_lab([BOARD], place) as running:
                pictured_case(place / "lab" / "cases" / "a", "C-0007", dwells=8)
                for one in started:
                    one.result()
                yield running
        finally:
            list(threads.map(lambda one: one.stop(), printers))


def _write_lab(home: Path, silent_port: int) -> None:
    """A printer that takes a question and never answers, and who may start prints on it."""
    key = home / "key"
    key.write_text("k" * 32)
    key.chmod(0o600)
    bench = {"url": f"http://127.0.0.1:{silent_port}", "key_file": "key", "profile": "practice"}
    (home / "printers.yaml").write_text(yaml.safe_dump({"bench-1": bench}))
    (home / "people.yaml").write_text("asmith: [approve, start, cancel, settle]\n")


def _lose_a_job(place: Path) -> None:
    gcode = write_gcode(place / "gone.gcode")
    job = planned_job(
        gcode, case_code="C-0003", printer_name="practice-2", attempt=1, practice=True
    )
    register = Register()
    register.plan(job)
    register.advance(job.job_id, "printing", "the printer accepted", only_from=("planned",))
    register.advance(job.job_id, "lost", "lost contact", only_from=("printing",))


def card(page: Page, name: str) -> Locator:
    heading = page.get_by_role("heading", level=4).filter(has_text=name)
    return page.locator(".labkit-card").filter(has=heading)


def press(where: Locator, name: str) -> None:
    where.get_by_role("button", name=name, exact=True).click()


def test_send_dispatch_pause_resume_cancel_and_settle(
    server: Server, page: Page, tmp_path: Path
) -> None:
    page.set_viewport_size({"width": 1500, "height": 1600})
    with without_faults(page):
        run_all(server, page)
        board = page.locator(".labkit-fleet")
        expect(card(page, "practice-2")).to_contain_text("▲", timeout=SOON_MS)
        expect(board.get_by_text("✔ ready")).to_be_visible(timeout=SOON_MS)

        board.get_by_label("what you saw").fill("the bed is empty")
        press(board, "Settle")
        expect(board.get_by_text("C-0003: failed")).to_be_visible(timeout=SOON_MS)
        expect(board.get_by_text("✔ ready")).to_have_count(2, timeout=SOON_MS)

        expect(board.get_by_text("20 layers")).to_be_visible(timeout=SOON_MS)
        expect(board.get_by_text("may not start prints in this lab")).to_be_visible()
        expect(board.get_by_role("button", name="Approve, and send to the queue")).to_be_disabled()
        board.get_by_label("practice: nothing real is printed").check()
        press(board, "Send to the queue")
        expect(board.get_by_text("request 1 of C-0007: waiting")).to_be_visible(timeout=SOON_MS)
        press(board, "Work through the queue")
        busy = page.locator(".labkit-card").filter(has_text="C-0007")
        expect(busy.get_by_text("▶ printing")).to_be_visible(timeout=SOON_MS)
        expect(busy.get_by_text("layer 3 of 20").first).to_be_visible(timeout=SOON_MS)
        expect(busy.get_by_role("img")).to_be_visible(timeout=SOON_MS)
        page.screenshot(path=tmp_path / "printing.png")

        press(busy, "Pause")
        expect(busy.get_by_text("‖ paused")).to_be_visible(timeout=SOON_MS)
        press(busy, "Resume")
        expect(busy.get_by_text("▶ printing")).to_be_visible(timeout=SOON_MS)
        press(busy, "Cancel")
        expect(busy.get_by_text("Press again within")).to_be_visible()
        page.screenshot(path=tmp_path / "really.png")
        press(busy, "Really cancel?")
        expect(board.get_by_text("▲ held: a person has to look")).to_be_visible(timeout=SOON_MS)
        press(board, "Stop")
        expect(board.get_by_text("Stopped.")).to_be_visible(timeout=SOON_MS)
        board.get_by_label("printer", exact=True).select_option("practice-2")
        board.get_by_label("attempt").fill("2")
        board.get_by_label("attempt").press("Tab")
        press(board, "Start the print")
        other = card(page, "practice-2")
        expect(other.get_by_text("attempt 2")).to_be_visible(timeout=SOON_MS)
        expect(other.get_by_role("button", name="Watched")).to_be_visible(timeout=SOON_MS)
        press(other, "Cancel")
        press(other, "Really cancel?")
        expect(other.get_by_text("✔ ready")).to_be_visible(timeout=SOON_MS)
        expect(card(page, "bench-1")).to_contain_text("✘ does not answer", timeout=SOON_MS)
        page.screenshot(path=tmp_path / "ended.png")

        page.get_by_role("button", name="Interrupt the kernel").click()
        expect(board.get_by_text("not refreshed any more")).to_be_visible(timeout=SOON_MS)
    assert page.locator("[data-mime-type='application/vnd.jupyter.stderr']").count() == 0
