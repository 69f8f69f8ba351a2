"""Make ``docs/design/dosage_form.png``: ``python docs/design/make_dosage_form_picture.py``."""

from pictures import row_of

from labkit.parameters import DosageForm

PARTS = tuple(
    DosageForm(shape=shape, surface_to_volume_per_mm=ratio)
    for shape, ratio in (("tablet", 1.1), ("ring", 1.5), ("torus", 1.5), ("honeycomb", 2.0))
)
"""Four shapes of one mass."""

if __name__ == "__main__":
    row_of("dosage_form", PARTS, (22, -26, 26), (0, 0, 1.5))
