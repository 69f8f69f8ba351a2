"""A person looks at the frozen G-code, and approves exactly these bytes."""

from pathlib import Path

import ipywidgets

from labkit.errors import LabkitError
from labkit.files import sha256_of
from labkit.printing.board import why_not
from labkit.printing.people import check_right
from labkit.printing.printed_files import picture_in
from labkit.views.deciding import Deciding, said
from labkit.views.live_planes import LivePicture
from labkit.views.picture import Picture
from labkit.views.presence import somebody_looks_on
from labkit.views.stills import still
from labkit.views.words import Words, message

_HERE = "the approval"


def approving(stage: Deciding, gcode: Path) -> Words | Picture | ipywidgets.VBox:
    """The G-code's own picture and its hash; by hand also the fields to approve it.

    An approval names the hash of the file that is shown: it dies with the next revision.

    Parameters
    ----------
    stage : when it is headless, or nobody looks on, the picture is all.
    gcode : the frozen file.
    """
    sha256 = sha256_of(gcode)
    picture = still(None, picture_in(gcode), "the printer")
    told = f"G-code of this case, SHA-256 {sha256}"
    if stage.headless or not somebody_looks_on():
        return picture or message(told)
    desk = ApprovalDesk(stage, sha256, may_not=why_not("approve"))
    box = ipywidgets.VBox([ipywidgets.HTML(message(told).html), desk.widget])
    return LivePicture(picture, box) if picture else box


class ApprovalDesk:
    """A name, a box to tick, and the button that takes both over with the hash."""

    def __init__(self, stage: Deciding, sha256: str, *, may_not: str) -> None:
        self._stage, self._sha256 = stage, sha256
        self.name = ipywidgets.Text(
            description="approved by",
            style={"description_width": "9em"},
            layout={"width": "30em"},
        )
        self.ticked = ipywidgets.Checkbox(
            description="I have looked at this G-code",
            style={"description_width": "9em"},
            layout={"width": "30em"},
        )
        self.use = ipywidgets.Button(
            description="Approve this file",
            button_style="primary",
            layout={"width": "auto", "align_self": "flex-start"},
        )
        self.answer = ipywidgets.HTML(
            said(may_not + "." if may_not else "A practice printer needs no approval.")
        )
        for field in (self.name, self.ticked):
            field.disabled = bool(may_not)
            field.observe(lambda _: self._weigh(), "value")
        self.use.on_click(lambda _: self._approve())
        self._weigh()
        self.widget = ipywidgets.VBox([self.name, self.ticked, self.use, self.answer])

    def _weigh(self) -> None:
        begun = bool(self.name.value.strip()) or bool(self.ticked.value)
        ready = bool(self.name.value.strip()) and bool(self.ticked.value)
        self.use.disabled = not ready
        if begun:
            self._stage.left_open[_HERE] = "begun, not given"
        else:
            self._stage.left_open.pop(_HERE, None)

    def _approve(self) -> None:
        words = {"approved_sha256": self._sha256, "approved_by": self.name.value.strip()}
        try:
            check_right("approve")
            answer = self._stage.accept(words)
        except LabkitError as error:
            self.answer.value = said(f"Not approved. {error}")
            return
        self._stage.left_open.pop(_HERE, None)
        self.use.disabled = True
        self.answer.value = said(f"Approved by {words['approved_by']}. {answer}")
