"""Where in the scan a step failed, shown before the reason."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from IPython.display import display

from labkit.errors import LabkitError
from labkit.views.planes import slices
from labkit.volume import Array, Volume


@contextmanager
def where_it_fails(volume: Volume, *, threshold_hu: float | None = None) -> Iterator[None]:
    """Show the planes through the place that an error names, and let the error go on.

    The place is the first of the error's ``places_lps_mm``, where it has any.
    """
    try:
        yield
    except LabkitError as error:
        places: Sequence[Array] = getattr(error, "places_lps_mm", [])
        if len(places):
            picture = slices(
                volume,
                threshold_hu=threshold_hu,
                point_lps_mm=places[0],
                title=f"Where it fails: 1 of {len(places)} places",
            )
            display(picture)  # type: ignore[no-untyped-call]
        raise
