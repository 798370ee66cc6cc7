"""Image files (PNG, JPEG, WebP, BMP, TIFF) as arrays of bytes. folders.py says which files of a folder are read.

The square in the middle of each image is resized to the same size. The default size is 28 pixels if no square is
larger, else 32. If no image has colours, there is one channel, else three.

A deep image has more than 8 bits a pixel. All deep images of a data set get the same scale, from the largest number in
them. Transparent pixels become white. If most of what is visible is white itself, they become black, or grey.
"""

import contextlib
import sys
import warnings
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from . import folders, pixels
from .dataset import DataError, Dataset

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF")
BACKGROUNDS = {"white": 255, "black": 0, "grey": 128}
CONTRAST = 48  # the brightness of an image differs at least so much from a background on which it can be seen
MOST = 0.9  # the first background on which so many of the images can be seen is good enough
DISGUISES = {  # the first bytes of files that often have the name of another format
    b"GIF8": "a GIF", b"<": "a web page or an SVG", b"%PDF": "a PDF", b"version https://git-lfs": "a Git LFS pointer",
    b"": "empty",
}  # fmt: skip


class Look(NamedTuple):
    """What is known of an image before it is read.

    sides: its shorter and its longer side. levels: (smallest, largest) number of a deep image. brightness: the mean of
    its visible pixels, from 0 to 255, if some are transparent. upper: the largest byte of a colour of 16 bits, of which
    Pillow reads the upper byte only. pages: the number of its pages.
    """

    sides: tuple[int, int]
    levels: tuple[float, float] | None = None
    brightness: float | None = None
    upper: int | None = None
    pages: int = 1


class Tones(NamedTuple):
    """How the numbers of images become bytes. black, white: of deep images. background: of transparent pixels."""

    black: float = 0
    white: float = 255
    background: str = "white"


def load_folder(folder, split, size=None, skip_broken=False):
    """Return the images of a split in a folder as a Dataset. The folders of the images are the classes.

    skip_broken: leave out files that cannot be read. If False, such a file raises DataError. Prints to stderr what the
    reader changes in the images.
    """
    files = folders.find(folder, split)
    name = folder.absolute().name
    images, kept = read(files.paths, name, size, skip_broken, files.others)
    return Dataset(images, None if files.labels is None else files.labels[kept], name, files.class_names)


def read(paths, name, side=None, skip_broken=False, others=()):
    """Return the images of these files, uint8 (N, side, side, 1 or 3), and the indices of the files that were read.

    name: the title of the progress bar. others: further files of the same data set, which get the same scale and
    background. Raises DataError for files that cannot be read, unless skip_broken is True.
    """
    broken = {}  # index of the file: the error
    warned = {}  # warning of Pillow: the files

    def each(use, title):
        for i, path in enumerate(bar(paths, f"{name}: {title}")):
            if i not in broken:
                try:
                    yield i, opened(path, use, warned)
                except DataError as error:
                    broken[i] = error

    looks = [look for _, look in each(look_at, "sizes")]
    side = side or (28 if max((look.sides[0] for look in looks), default=0) <= 28 else 32)
    tones = choose_tones(looks, others, name)
    images = np.empty((len(paths), side, side, 3), np.uint8)
    for i, image in each(lambda image: square(image, side, tones), f"{side} x {side} pixels"):
        images[i] = image
    kept = [i for i in range(len(paths)) if i not in broken]
    if broken:
        refuse(paths, broken, skip=skip_broken and bool(kept))
        images = images[kept]
    say_changes(name, looks, warned)
    grey = (images == images[..., :1]).all()
    return np.ascontiguousarray(images[..., :1]) if grey else images, kept


def refuse(paths, broken, skip):
    """Raise DataError for files that cannot be read, {index: error}. If `skip` is True, only print the errors."""
    errors = [str(broken[i]) for i in sorted(broken)]
    what = (
        errors[0]
        if len(errors) == 1
        else f"{len(errors)} of {len(paths)} images cannot be read: {'; '.join(errors[:5])}"
    )
    if not skip:
        raise DataError(f"{what}. --skip-broken leaves such files out")
    print(f"left out: {what}", file=sys.stderr)


def say_changes(name, looks, warned):
    """Print to stderr what is not read of the images, and the warnings of Pillow, {warning: files}."""
    oblong = [look.sides for look in looks if look.sides[0] < look.sides[1]]
    if oblong:
        cut = 1 - sum(short**2 for short, _ in oblong) / sum(short * long for short, long in oblong)
        which = f"{len(oblong)} of {len(looks)} images are not square: only the square in their middle is read"
        print(f"{name}: {which}, and {cut:.0%} of their pixels are cut off", file=sys.stderr)
    if books := sum(look.pages > 1 for look in looks):
        print(f"{name}: {books} files have several pages or frames; only the first is read", file=sys.stderr)
    for message, (first, *more) in warned.items():
        print(f"{first}{f' and {len(more)} more' if more else ''}: {message}", file=sys.stderr)


def bar(paths, title):
    return tqdm(paths, desc=title, unit="image", leave=False, disable=None)


def opened(path, use, warned):
    """Return use(image), where image is the opened file. Raises DataError if the file is damaged or too large.

    warned: gets the warnings of Pillow, {warning: [path, ...]}.
    """
    from PIL import Image

    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            warnings.simplefilter("error", Image.DecompressionBombWarning)  # raised above MAX_IMAGE_PIXELS
            with Image.open(path, formats=FORMATS) as image:
                result = use(image)
    except Exception as error:  # Pillow raises many kinds of errors for damaged files
        what = disguise(path)
        reason = f"it is {what}, whatever its name says" if what else error
        raise DataError(f"{path} is not an image that can be read ({reason})") from None
    for message in {str(warning.message) for warning in caught}:
        if path not in (paths := warned.setdefault(message, [])):
            paths.append(path)
    return result


def disguise(path):
    """Return what a file is if it has the name of an image, but another content; None if this is not known."""
    with contextlib.suppress(OSError), open(path, "rb") as file:
        start = file.read(32).lstrip(b"\xef\xbb\xbf \t\r\n")
        if start[4:8] == b"ftyp":
            return "a HEIC, an AVIF or a video"
        return next(
            (what for first, what in DISGUISES.items() if start.startswith(first) and (first or not start)), None
        )
    return None


def is_deep(image):
    return image.mode.startswith(("I", "F"))


def look_at(image):
    """Return the Look of an opened image. Raises ValueError for an image with a number that is not finite."""
    look = Look((min(image.size), max(image.size)))
    if image.format != "MPO":  # the second picture of a phone's JPEG is smaller
        look = look._replace(pages=getattr(image, "n_frames", 1))
    if is_deep(image):
        values = np.asarray(image)
        if not np.isfinite(values).all():
            raise ValueError("some of its numbers are not finite")
        return look._replace(levels=(float(values.min()), float(values.max())))
    if ";16" in str(image.tile):
        look = look._replace(upper=int(np.asarray(image.convert("RGB")).max()))
    if image.has_transparency_data:
        grey, alpha = np.moveaxis(np.asarray(image.convert("RGBA").convert("LA")), 2, 0)
        if alpha.any() and not (alpha == 255).all():
            look = look._replace(brightness=float(np.average(grey, weights=alpha)))
    return look


def choose_tones(looks, others, name):
    """Return the Tones of a data set, and print them to stderr if they matter. others: further files to look at"""
    if any(look[1:4] != (None, None, None) for look in looks):
        for path in others:
            with contextlib.suppress(DataError):  # it is reported when its split is read
                looks = [*looks, opened(path, look_at, {})]
    tones, upper = Tones(), [look.upper for look in looks if look.upper is not None]
    if upper and max(upper) < 128:
        raise DataError(f"{name}: its colours have 16 bits, and do not use the upper ones: convert them to 8 bits")
    if deep := [look.levels for look in looks if look.levels]:
        black, white = pixels.value_range(min(low for low, _ in deep), max(high for _, high in deep))
        tones = tones._replace(black=black, white=white)
        which = f"{len(deep)} images have more than 8 bits a pixel"
        print(f"{name}: {which}: {black:g} becomes black, and {white:g} becomes white", file=sys.stderr)
    visible = np.array([look.brightness for look in looks if look.brightness is not None])
    if len(visible):
        seen = {each: min(MOST, (abs(visible - tone) >= CONTRAST).mean()) for each, tone in BACKGROUNDS.items()}
        tones = tones._replace(background=max(seen, key=seen.get))
        which = f"{len(visible)} images have transparent pixels"
        print(f"{name}: {which}: they become {tones.background}", file=sys.stderr)
    return tones


def square(image, side, tones):
    """Return the middle square of an opened image as an array (side, side, 3)."""
    from PIL import Image, ImageOps

    image = ImageOps.exif_transpose(image)
    if is_deep(image):  # convert() would clip numbers at 255
        image = Image.fromarray(pixels.scaled(np.asarray(image), tones.black, tones.white))
    elif image.has_transparency_data:
        image = image.convert("RGBA")
        tone = BACKGROUNDS[tones.background]
        image = Image.alpha_composite(Image.new("RGBA", image.size, (tone, tone, tone, 255)), image)
    return np.asarray(ImageOps.fit(image.convert("RGB"), (side, side), Image.Resampling.LANCZOS))
