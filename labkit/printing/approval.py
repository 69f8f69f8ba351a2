"""What a real print needs before it may begin: a person's word, and the lot of its material."""

from labkit.errors import ApprovalError, ParameterError


def check_approval(
    gcode_sha256: str,
    approved_sha256: str,
    approved_by: str,
    *,
    printer: str,
    sliced_for: str,
    practice: bool,
) -> str:
    """Who approved this G-code, in a sentence.

    An approval names the hash of exactly one file, so that it dies with the next
    revision.  A practice print needs none: nothing real is printed.

    Raises
    ------
    ApprovalError
        Nobody approved it, what was approved is another file, or the file was sliced
        and checked for another printer.
    """
    if practice:
        return "practice print: no approval needed, nothing real is printed"
    if printer != sliced_for:
        raise ApprovalError(
            f"G-code that was sliced and checked for the printer {sliced_for}",
            expected=f"G-code for {printer}",
            where="04_slicing, printer",
            fix=f"slice with the profile of {printer}: -p slicing.printer={printer}",
        )
    if approved_sha256 == gcode_sha256 and approved_by.strip():
        return f"approved by {approved_by}: {gcode_sha256}"
    raise ApprovalError(
        "an approval of another file, or without a name"
        if approved_sha256
        else "no approval of this G-code",
        expected="the name of a person, and the hash of the file that the person looked at",
        where="05_printing, approved_sha256 and approved_by",
        fix=f"look at stage 04_slicing; to approve it set approved_by and approved_sha256 to "
        f"{gcode_sha256}",
    )


def check_lot(material_lot: str, *, required: bool, practice: bool) -> None:
    """Refuse a real print without the lot of a material whose profile asks for it.

    Raises
    ------
    ParameterError
        It is missing.
    """
    if required and not material_lot.strip() and not practice:
        raise ParameterError(
            "no lot of the material",
            expected="what the spool says: the material's profile requires it",
            where="05_printing, material_lot",
            fix="give it: -p printing.material_lot=LOT",
        )
