"""Everything a person looks at.  The only room that imports widgets or plotting."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from labkit.views.approvals import approving as approving
    from labkit.views.bars import printing as printing
    from labkit.views.bars import progress as progress
    from labkit.views.countdowns import countdown as countdown
    from labkit.views.decisions import panel as panel
    from labkit.views.deviation_map import deviations as deviations
    from labkit.views.failures import where_it_fails as where_it_fails
    from labkit.views.fidelities import fidelity as fidelity
    from labkit.views.fleet import fleet_board as fleet_board
    from labkit.views.live_planes import viewer as viewer
    from labkit.views.live_surfaces import turnable as turnable
    from labkit.views.measuring_table import measuring as measuring
    from labkit.views.parts import details as details
    from labkit.views.parts import difference as difference
    from labkit.views.parts import printable as printable
    from labkit.views.picture import Picture as Picture
    from labkit.views.placements import placement as placement
    from labkit.views.planes import slices as slices
    from labkit.views.records import record as record
    from labkit.views.reviews import review as review
    from labkit.views.scans import series as series
    from labkit.views.stacks import stack as stack
    from labkit.views.start import cases as cases
    from labkit.views.start import machine as machine
    from labkit.views.start import new_case as new_case
    from labkit.views.start import practice_printers as practice_printers
    from labkit.views.surfaces import surface as surface
    from labkit.views.surfaces import thumbnail as thumbnail
    from labkit.views.toolpaths import toolpath as toolpath
    from labkit.views.words import Words as Words
    from labkit.views.words import checks as checks
    from labkit.views.words import joined as joined
    from labkit.views.words import message as message
    from labkit.views.words import table as table

_HOMES = {
    "Picture": "picture",
    "Words": "words",
    "approving": "approvals",
    "cases": "start",
    "checks": "words",
    "countdown": "countdowns",
    "details": "parts",
    "deviations": "deviation_map",
    "difference": "parts",
    "fidelity": "fidelities",
    "fleet_board": "fleet",
    "joined": "words",
    "machine": "start",
    "measuring": "measuring_table",
    "message": "words",
    "new_case": "start",
    "panel": "decisions",
    "placement": "placements",
    "practice_printers": "start",
    "printable": "parts",
    "printing": "bars",
    "progress": "bars",
    "record": "records",
    "review": "reviews",
    "series": "scans",
    "slices": "planes",
    "stack": "stacks",
    "surface": "surfaces",
    "table": "words",
    "thumbnail": "surfaces",
    "toolpath": "toolpaths",
    "turnable": "live_surfaces",
    "viewer": "live_planes",
    "where_it_fails": "failures",
}


def __getattr__(name: str) -> Any:
    # plotting takes seconds to import, and `labkit lab` only asks `offscreen`
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
