"""Uniformity of dosage units, from measured contents: accuracy and acceptance value.

For research: a calculation, not the test of a batch.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from labkit.errors import DesignError

ACCEPTABILITY = {10: 2.4, 30: 2.0}
"""k by the number of units; the harmonised chapter Ph. Eur. 2.9.40 / USP <905>, table 2."""
L1 = 15.0
"""Highest acceptance value, %; the same chapter."""
L2 = 25.0
"""Of 30 units, how far one may be from the reference value, % of it; the same chapter."""
_LOW, _HIGH = 98.5, 101.5


@dataclass(frozen=True)
class Uniformity:
    """Contents of n units in percent of what they should hold.

    Parameters
    ----------
    units : how many, 10 or 30.
    mean_percent : mean content X: the accuracy.
    sd_percent : sample standard deviation s.
    reference_percent : M, the nearest to X of what is as good as right.
    acceptance_value : AV = k s, and how far X is from M.
    farthest_percent : how far one unit is from M, at most, in percent of M.
    """

    units: int
    mean_percent: float
    sd_percent: float
    reference_percent: float
    acceptance_value: float
    farthest_percent: float

    @property
    def within(self) -> bool:
        """AV at most L1; of 30 units none beyond L2 as well."""
        return self.acceptance_value <= L1 and (self.units == 10 or self.farthest_percent <= L2)

    def table(self) -> list[dict[str, Any]]:
        """The numbers for the record."""
        return [{name: round(value, 4) for name, value in vars(self).items()}]


def uniformity(contents_percent: Sequence[float], target_percent: float = 100.0) -> Uniformity:
    """What contents in percent of the label come to: Ph. Eur. 2.9.40 / USP <905>, table 2.

    Parameters
    ----------
    contents_percent : of 10 units, or of 30.
    target_percent : T, the target content at manufacture; up to 101.5 it changes nothing.

    Raises
    ------
    DesignError
        Another number of units, or contents that are no positive numbers.
    """
    contents = np.asarray(contents_percent, float)
    if len(contents) not in ACCEPTABILITY or not (np.isfinite(contents) & (contents > 0)).all():
        raise DesignError(
            f"{len(contents)} contents",
            expected="10 or 30 positive numbers (Ph. Eur. 2.9.40, USP <905>)",
            where="03_design, trial_masses_mg",
            fix="weigh 10 units, or 30",
        )
    mean, sd = float(contents.mean()), float(contents.std(ddof=1))
    reference = float(np.clip(mean, _LOW, max(_HIGH, target_percent)))
    return Uniformity(
        units=len(contents),
        mean_percent=mean,
        sd_percent=sd,
        reference_percent=reference,
        acceptance_value=abs(reference - mean) + ACCEPTABILITY[len(contents)] * sd,
        farthest_percent=float(100 * np.abs(contents / reference - 1).max()),
    )


def uniformity_of_masses(masses_mg: Sequence[float], target_mg: float) -> Uniformity:
    """The same from weighed units, as if the content were the same share of each mass.

    That is so only if the material was mixed evenly; it has to be shown by an assay.
    """
    return uniformity([100 * mass / target_mg for mass in masses_mg])
