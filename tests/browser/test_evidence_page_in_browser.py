"""The page of an executed notebook in a real browser: it asks for nothing and is accessible."""

from pathlib import Path

import pytest

from labkit.views.evidence_page import page_of
from tests.browser.axe import violations
from tests.browser.conftest import opened_page
from tests.browser.lab import Server
from tests.views.test_evidence_page import executed


@pytest.fixture(scope="module")
def nobody(tmp_path_factory: pytest.TempPathFactory) -> Server:
    """No server: what the page asks for is noted all the same."""
    return Server(0, tmp_path_factory.mktemp("nothing"))


def test_it_asks_for_nothing_runs_nothing_and_has_no_violation(
    nobody: Server, tmp_path: Path
) -> None:
    file = tmp_path / "page.html"
    file.write_text(page_of(executed(tmp_path / "notebook.ipynb")), encoding="utf-8")
    with opened_page(nobody, tmp_path / "profile") as page:
        page.goto(file.as_uri())
        page.get_by_text("Code of this step").first.click()
        assert page.get_by_text("secret = 1 < 2").is_visible()
        assert violations(page, "body") == []
        # what a later change of the page might let through is refused by its policy
        page.set_content(
            file.read_text(encoding="utf-8").replace(
                "</main>", '<script>document.title = "ran"</script></main>'
            )
        )
        assert page.title() == "The <mask>"
    asked = [url for url in nobody.asked if not url.startswith("data:")]
    assert asked == [file.as_uri()]
