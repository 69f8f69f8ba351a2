"""Whether two images at one place are the same image twice."""

from labkit.scan.headers import plain_content
from labkit.scan.image import Image
from labkit.scan.syntaxes import is_encapsulated


def is_copy(one: Image, other: Image) -> bool:
    """Whether two images at one place hold the same pixels, and mean the same by them.

    The same file twice, or the same image sent twice under another UID, loses nothing
    when one of them is left out.  Pixels are compared as they are stored: what was
    compressed in another way is not taken for a copy.
    """
    if (one.pixels, one.rescale, one.shape) != (other.pixels, other.rescale, other.shape):
        return False
    if one.file == other.file:
        return False
    contents = one.file.read(), other.file.read()
    if contents[0] == contents[1] and one.frame == other.frame:
        return True
    first, second = (
        _stored(image, content) for image, content in zip((one, other), contents, strict=True)
    )
    return first is not None and first == second


def _stored(image: Image, content: bytes) -> bytes | None:
    form, content = image.pixels, plain_content(content)
    if form is None or image.problem:
        return None
    if is_encapsulated(form.transfer_syntax):
        return content[image.pixel_offset :] if image.frames == 1 else None
    size = image.shape[0] * image.shape[1] * form.bits_allocated // 8
    return content[image.pixel_offset : image.pixel_offset + size]
