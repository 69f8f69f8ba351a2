"""The notebook of the segmentation in a real JupyterLab, with a mask of two structures."""

import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import nbformat
import numpy as np
import pytest
from playwright.sync_api import Page, expect

from labkit import processes
from labkit.case import read_result
from labkit.parameters import Segmentation
from labkit.segmentation import structures_of, write_label_map
from labkit.volume import read_nrrd
from tests.browser.lab import Server, planes_without_faults, running_lab
from tests.conftest import PROJECT, SAMPLE


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A case of the sample with its scan imported, and beside it a mask of another tool."""
    place = tmp_path_factory.mktemp("cases")
    made: list[list[str | Path]] = [
        ["new", place / "a", "--order", PROJECT / "sample_data" / "order.yaml"],
        ["run", place / "a", "scan", "--source", SAMPLE],
    ]
    for words in made:
        done = processes.run(
            [sys.executable, "-m", "labkit", *words],
            environment={**os.environ, "LABKIT_HOME": str(place / "home" / "LABKIT_HOME")},
            timeout_s=300,
        )
        assert done.exit_code == 0, done.errors
    volume = read_nrrd(place / "a" / "01_scan" / "volume.nrrd")
    bones = structures_of(volume, Segmentation(components=2)).label_map
    larger = structures_of(volume, Segmentation(components=1)).mask
    labels = np.where(bones.labels > larger, 2, larger).astype(np.uint8)
    radius, ulna = (replace(bones.segments[1], name=name) for name in ("radius", "ulna"))
    two = replace(bones, labels=labels, segments={1: radius, 2: replace(ulna, rgb=(0, 0.6, 0.5))})
    write_label_map(two, place / "other.seg.nrrd")
    return place / "a"


@pytest.fixture(scope="module")
def server(case: Path) -> Iterator[Server]:
    notebook = nbformat.read(PROJECT / "notebooks" / "02_segmentation.ipynb", as_version=4)
    cells = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    for name, value in (
        ("case_dir", str(case)),
        ("mask_from", "file"),
        ("mask_file", str(case.parent / "other.seg.nrrd")),
    ):
        lines = cells[0].splitlines()
        (at,) = (n for n, line in enumerate(lines) if line.startswith(f"{name}:"))
        lines[at] = f"{name}: str = {value!r}"
        cells[0] = "\n".join(lines)
    with running_lab(cells, case.parent) as running:  # the lab that signed the import
        yield running


def test_a_mask_of_two_structures_from_top_to_bottom(
    server: Server, page: Page, case: Path, tmp_path: Path
) -> None:
    # what is further than one and a half windows away is not laid out, and so never drawn
    page.set_viewport_size({"width": 1300, "height": 2600})
    with planes_without_faults(server, page, "The scan and the threshold"):
        accept = page.get_by_role("button", name="Accept", exact=True)
        expect(accept).to_be_enabled(timeout=240_000)
        accept.press("Enter")
        evidence = page.frame_locator("iframe[title='Evidence of 02_segmentation']")
        expect(evidence.locator("h1")).to_be_visible(timeout=240_000)
    page.get_by_text("products as they were made by hand").wait_for()
    page.locator("td", has_text="surface_ulna.stl").first.wait_for()
    page.locator("tr", has_text="mask of another tool").get_by_text(
        "voxel for voxel"
    ).first.wait_for()
    assert page.locator("[data-mime-type='application/vnd.jupyter.stderr']").count() == 0
    page.screenshot(path=tmp_path / "end.png")
    for name, words in (("planes", "Start"), ("cut", "Seen from"), ("surface", "surface_ulna.stl")):
        page.get_by_text(words).first.scroll_into_view_if_needed()
        page.screenshot(path=tmp_path / f"{name}.png")
    result = read_result(case / "02_segmentation")
    assert result.mode == "replay"
    assert [one["name"] for one in result.details["structures"]] == ["radius", "ulna"]
    assert (case / "02_segmentation" / "imported.seg.nrrd").is_file()
