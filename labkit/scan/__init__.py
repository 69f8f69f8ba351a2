"""From what a lab receives to one true volume, or a refusal with the reason.

Geometry comes from Image Position (Patient) and Image Orientation (Patient) only
(DICOM PS3.3 C.7.6.2.1.1): never from file names, instance numbers, Slice Location
or Spacing Between Slices.

::

    sources ─► headers ─► series ─► geometry ─► pixels ─► reading
    files      images     verdict   order,      grey      volume, straightened
                                    corrections values    where that was needed
"""

from labkit.scan.geometry import Geometry as Geometry
from labkit.scan.geometry import Limits as Limits
from labkit.scan.reading import read_volume as read_volume
from labkit.scan.series import Discovery as Discovery
from labkit.scan.series import Series as Series
from labkit.scan.series import choose as choose
from labkit.scan.series import discover as discover
