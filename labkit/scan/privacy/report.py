"""What a scan still tells of the person, in sentences for the record."""

from dataclasses import dataclass

from labkit.case import Check
from labkit.scan.privacy.attributes import TABLE
from labkit.scan.privacy.burnt_in import BurntInText, text_in_volume
from labkit.scan.privacy.faces import FaceRisk, face_risk
from labkit.scan.series import Series
from labkit.volume import Volume

REMOVED = (
    "Names, numbers, dates, places and free text of the scan stay in the import; its UIDs "
    "are replaced by pseudonyms of this lab, the case code stands for the patient.",
    f"DICOM that is kept or passed on is cleaned after PS3.15 Table E.1-1 ({TABLE}), Basic "
    "Application Confidentiality Profile; private attributes, overlays, icons, and text "
    "that the image does not need are removed.",
)
"""What was done about the person's identity."""

RESIDUAL = (
    "Text drawn into the pixels is looked for, not read: small, blurred or faint text, and "
    "text of the brightness of the tissue under it, can remain.",
    "Rare anatomy, implants and earlier operations can tell who it is, and so can the "
    "printed shape itself.",
    "Whoever holds the lab's secret can tell that two cases come from one scan.",
)
"""What cannot be excluded."""

_FACE = "A face can be reconstructed from the skin of a head scan (doi 10.1056/NEJMc1908881)."
_LEVELS = {
    "face": "a head",
    "skull": "a skull without skin",
    "unlikely": "no sign of a head",
    "unknown": "cannot be told",
}


@dataclass(frozen=True)
class PrivacyReport:
    """What was looked for in one scan, and what was found.

    Parameters
    ----------
    burnt_in : lines of what looks like text.
    claimed : what the header says of burnt-in text; None: nothing.
    face : whether a face may be in the scan.
    """

    burnt_in: tuple[BurntInText, ...]
    claimed: bool | None
    face: FaceRisk

    def checks(self) -> list[Check]:
        """The two checks of the import's record: *action* asks a person to look."""
        text = bool(self.burnt_in or self.claimed)
        value = _where(self.burnt_in[0]) if self.burnt_in else "by the header" if text else "none"
        return [
            Check(
                name="burnt-in text",
                value=value,
                limit="none found",
                verdict="action" if text else "pass",
            ),
            Check(
                name="recognizable face",
                value=_LEVELS[self.face.level],
                limit="no sign of a head",
                verdict="action" if self.face.flagged else "pass",
            ),
        ]

    def findings(self) -> list[str]:
        """What was found, a sentence each; empty when nothing was."""
        said = [f"What looks like text: {_where(one)}." for one in self.burnt_in]
        if self.claimed:
            said.append("The header says that text is burnt into the pixels.")
        if self.face.flagged:
            said.append("Faces: " + "; ".join(self.face.evidence) + ".")
        return said

    def statement(self) -> list[str]:
        """What was removed and what cannot be excluded, for the record of this scan."""
        face = (_FACE,) if self.face.flagged else ()
        return [*REMOVED, *self.findings(), *face, *RESIDUAL]


def privacy_report(series: Series, volume: Volume) -> PrivacyReport:
    """What the series' header and the volume's grey values still tell of the person."""
    return PrivacyReport(
        tuple(text_in_volume(volume)),
        series.facts.burned_in_annotation,
        face_risk(volume, series.facts),
    )


def _where(text: BurntInText) -> str:
    image = f"image {text.image}" if text.image else "every image"
    return (
        f"{image}, columns {text.left}–{text.right}, rows {text.top}–{text.bottom}, "
        f"about {text.glyphs} letters"
    )
