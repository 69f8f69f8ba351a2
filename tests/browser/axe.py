"""What axe-core finds in the outputs of a notebook that is open in the browser."""

from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

RULES = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa")
OURS = ".jp-OutputArea-output"
"""What a cell shows; the frame around it is JupyterLab's."""


def violations(page: Page, within: str = OURS) -> list[str]:
    """Each violation of WCAG 2.2 A and AA that axe-core finds: rule, element, and what is wrong.

    Parameters
    ----------
    within : a selector; elements elsewhere do not count.
    """
    assert page.locator(within).count(), f"nothing to look at: {within}"
    options: dict[str, Any] = {
        "runOnly": {"type": "tag", "values": list(RULES)},
        "rules": {"target-size": {"enabled": True}},  # WCAG 2.2; off in axe-core as it comes
        "resultTypes": ["violations"],
    }
    found = Axe().run(page, context={"include": [[within]]}, options=options).response
    # a run that looked at nothing would find nothing
    assert found["passes"]
    return [
        f"{broken['id']}: {node['html'][:160]} … {node['failureSummary']}"
        for broken in found["violations"]
        for node in broken["nodes"]
    ]
