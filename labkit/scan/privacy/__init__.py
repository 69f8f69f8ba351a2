"""What a scan tells of the person, and what is done about it.

::

    attributes ─► identifiers ─► deidentification   DICOM without the person
                       └───────► traces             search for what was left behind
    burnt_in, faces ───────────► report             what the pixels still tell
"""

from labkit.scan.privacy.burnt_in import BurntInText as BurntInText
from labkit.scan.privacy.burnt_in import text_in_plane as text_in_plane
from labkit.scan.privacy.burnt_in import text_in_volume as text_in_volume
from labkit.scan.privacy.deidentification import deidentify as deidentify
from labkit.scan.privacy.deidentification import deidentify_files as deidentify_files
from labkit.scan.privacy.deidentification import deidentify_series as deidentify_series
from labkit.scan.privacy.faces import FaceRisk as FaceRisk
from labkit.scan.privacy.faces import face_risk as face_risk
from labkit.scan.privacy.identifiers import Identifier as Identifier
from labkit.scan.privacy.identifiers import identifiers_of as identifiers_of
from labkit.scan.privacy.report import PrivacyReport as PrivacyReport
from labkit.scan.privacy.report import privacy_report as privacy_report
from labkit.scan.privacy.traces import Trace as Trace
from labkit.scan.privacy.traces import traces_in as traces_in
from labkit.scan.privacy.traces import traces_of as traces_of
