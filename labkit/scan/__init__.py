"""From what a lab receives to one true volume, or a refusal with the reason.

Geometry comes from Image Position (Patient) and Image Orientation (Patient) only
(DICOM PS3.3 C.7.6.2.1.1): never from file names, instance numbers, Slice Location
or Spacing Between Slices.

::

    sources ─► headers, images ─► parts ─► series, discovery ─► pixels ─► reading
    files      one per frame      stacks   geometry, unit,      grey      volume,
                                           verdict              values    straightened
"""

from labkit.protocols import Protocol as Protocol
from labkit.protocols import protocol_named as protocol_named
from labkit.scan.discovery import Discovery as Discovery
from labkit.scan.discovery import discover as discover
from labkit.scan.facts import SeriesFacts as SeriesFacts
from labkit.scan.fitness import Fitness as Fitness
from labkit.scan.fitness import fitness_of as fitness_of
from labkit.scan.geometry import Geometry as Geometry
from labkit.scan.geometry import Limits as Limits
from labkit.scan.reading import read_volume as read_volume
from labkit.scan.report import report_of as report_of
from labkit.scan.series import Series as Series
from labkit.scan.series import choose as choose
from labkit.scan.thumbnails import thumbnail as thumbnail
