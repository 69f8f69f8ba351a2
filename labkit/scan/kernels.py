"""Whether a CT was reconstructed soft or sharp, from its maker's name for the kernel."""

import re
from typing import Literal

Sharpness = Literal["soft", "sharp", "unknown"]

_SOFT_BELOW = 50
"""Siemens: B10 to B40 are soft to standard; for higher sharpness B50 to B80 (operating
instructions of the SOMATOM Sensation, A60, Body Kernels).  The two figures mean the same
in the newer names Br40, Hr32, Qr59, Ur77: higher is sharper."""

_SIEMENS = re.compile(r"[A-Z][A-Z]?(\d\d)[A-Z]?", re.IGNORECASE)

_NAMES: dict[str, dict[Sharpness, re.Pattern[str]]] = {
    "ge": {
        "soft": re.compile(r"SOFT|STANDARD|STND|STD\+?", re.IGNORECASE),
        "sharp": re.compile(r"BONE(PLUS)?|LUNG", re.IGNORECASE),
    },
    "toshiba": {"soft": re.compile(r"FC03", re.IGNORECASE)},
    "canon": {"soft": re.compile(r"FC03", re.IGNORECASE)},
    "labkit": {"soft": re.compile(r"BINOMIAL")},
}
"""Soft: Standard of GE and FC03 of Toshiba, as B30 of Siemens, are the examples for soft
tissue in the BRIDG model 5.3.1 (convolutionKernel).  Sharp: bone and lung algorithms are
those of high spatial frequency.  The kit's sample is smoothed with a binomial.  What no
source of ours names is unknown."""


def sharpness_of(kernel: str, manufacturer: str) -> Sharpness:
    """soft, sharp, or unknown: how the images of a kernel look.

    Parameters
    ----------
    kernel : Convolution Kernel (0018,1210); of several, joined by ``/``, the first counts.
    manufacturer : Manufacturer (0008,0070).
    """
    name, maker = kernel.split("/", maxsplit=1)[0].strip(), manufacturer.lower()
    if maker.startswith("siemens"):
        found = _SIEMENS.fullmatch(name)
        return "unknown" if not found else "soft" if int(found[1]) < _SOFT_BELOW else "sharp"
    for start, patterns in _NAMES.items():
        if maker.startswith(start):
            return next((kind for kind, p in patterns.items() if p.fullmatch(name)), "unknown")
    return "unknown"
