"""The JavaScript of a live view as one text, put together from its parts."""

from pathlib import Path

_PARTS = Path(__file__).with_name("live")


def page_script(*parts: str) -> str:
    """One module made of these parts of ``live/``, in this order.

    The parts share one scope: they import nothing, every name is declared in one of them
    only, and the last has the ``export``.
    """
    return "\n".join((_PARTS / f"{part}.js").read_text(encoding="utf-8") for part in parts)
