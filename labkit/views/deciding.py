"""What the views by which a person decides have in common."""

from html import escape
from typing import Any, Protocol


class Deciding(Protocol):
    """What such a view needs of its stage."""

    @property
    def headless(self) -> bool:
        """Whether nobody is there to decide."""

    @property
    def parameters(self) -> Any:
        """The values so far, in the stage's own model."""

    @property
    def left_open(self) -> dict[str, str]:
        """What a person has set and not used yet: where, and in words what."""

    def accept(self, values: dict[str, Any], /) -> str:
        """Take the values over; what to tell the person, or a `LabkitError`."""


def said(text: str) -> str:
    """HTML of a sentence that a screen reader says when it changes."""
    return f'<p role="status" style="max-width: 60em">{escape(text)}</p>'
