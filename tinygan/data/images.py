"""Image files (PNG, JPEG, WebP, BMP) in one folder, or in a folder for each class; either in folders train and test.

    DIR/a.png ...      DIR/cats/a.png, DIR/dogs/a.png ...      DIR/train/cats/a.png, DIR/test/cats/b.png ...
All are brought to one square: cropped in the middle, then resized, to the chosen size, or else to 28 pixels if none is
larger, else to 32. They are grey if none has a colour. Classes are numbered in the order of their folders, by value
where these are numbers.
"""

import sys
import warnings
from collections import Counter

import numpy as np
from tqdm import tqdm

from .idx import DataError, Dataset, NotThere

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp")
FORMATS = ("PNG", "JPEG", "WEBP", "BMP")
SPLITS = {"train": ("train", "training"), "test": ("test", "testing", "t10k"), "": ("val", "valid", "validation")}


def has_images(folder):
    """Whether a folder, or a folder in it, contains image files and no IDX file of images."""
    if any("images" in path.name.lower() and begins_like_idx(path) for path in folder.glob("*") if path.is_file()):
        return False
    return any(any(map(images_in, places)) for places in ([folder], folder.glob("*"), folder.glob("*/*")))


def begins_like_idx(path):
    """Whether a file begins like an IDX file, gzipped or not; images.txt does not."""
    try:
        with open(path, "rb") as file:
            return file.read(2) in (b"\0\0", b"\x1f\x8b")
    except OSError:
        return False


def load_folder(folder, split, size=None, skip_broken=False):
    """Return the images of a folder for `split`, with their folders as classes, as a Dataset.

    skip_broken: leave out files that cannot be read, instead of raising DataError. Files that are no images, or too
    deep, are counted on stderr.
    """
    root, roots = find(folder, split)
    inner = {path.name for each in roots for path in folders(each) if images_in(path)}
    names = sorted(inner, key=lambda name: (0, int(name), name) if name.isdecimal() else (1, 0, name))
    flat, classes = images_in(root), [images_in(root / name) for name in names]
    if bool(flat) == any(classes):
        found = "images lie in it and also in its folders" if flat else "there is no image (PNG, JPEG, WebP, BMP) in it"
        raise DataError(f"{root}: {found}; all images are to lie in it, or all in a folder for each class")
    if len(names) > 256:
        raise DataError(f"{root}: {len(names)} folders, which would be as many classes; there can be 256")
    paths = [*flat, *(path for paths in classes for path in paths)]
    labels = np.repeat(np.arange(len(names)).astype(np.uint8), [len(paths) for paths in classes])
    name = folder.absolute().name
    say_ignored(root, paths)
    images, kept = read(paths, name, size, skip_broken)
    if len(names) < 2:  # a single class is no class
        return Dataset(images, None, name)
    return Dataset(images, labels[kept], name, tuple(names))


def say_ignored(root, paths):
    """Print how many files in a folder are not read, by the ends of their names, to stderr."""
    read_too = set(paths)
    others = [path for path in root.rglob("[!.]*") if path.is_file() and path not in read_too]
    kinds = Counter("deeper images" if p.suffix.lower() in SUFFIXES else p.suffix or "without a suffix" for p in others)
    if kinds:
        counts = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common(5))
        print(f"{root}: {len(others)} files in it are not read: {counts!r}".replace("'", ""), file=sys.stderr)


def find(folder, split):
    """Return the folder of this split, and the folders of all splits, which share the numbers of classes."""
    of_split = {name: kind for kind, names in SPLITS.items() for name in names}
    inner = folders(folder)
    if inner and all(path.name.lower() in of_split for path in inner):
        chosen = [path for path in inner if of_split[path.name.lower()] == split]
    else:
        inner, chosen = [folder], [folder] if split == "train" else []
    if not chosen:
        raise NotThere(f"{folder}: no {split} images in it; one folder called {split} is looked for")
    if len(chosen) > 1:
        names = ", ".join(sorted(path.name for path in chosen))
        raise DataError(f"{folder}: {names}: several folders of {split} images; keep one")
    return chosen[0], inner


def folders(folder):
    """Return the folders in a folder, without hidden ones."""
    return [path for path in folder.iterdir() if path.is_dir() and not path.name.startswith((".", "__"))]


def images_in(folder):
    """Return the image files in a folder, sorted by name; none if there is no such folder."""
    found = (path for path in folder.glob("*") if path.suffix.lower() in SUFFIXES and not path.name.startswith("."))
    return sorted(path for path in found if path.is_file())


def read(paths, name, side=None, skip_broken=False):
    """Return the images of these files, uint8 (N, side, side, 1 or 3), and the numbers of the files they are from.

    name: of the progress bar. Raises DataError for files that cannot be read, unless they are to be skipped.
    """
    broken = {}  # number of the file: what is wrong with it

    def each(use, title):
        for i, path in enumerate(bar(paths, f"{name}: {title}")):
            if i not in broken:
                try:
                    yield i, opened(path, use)
                except DataError as error:
                    broken[i] = error

    if not side:
        side = (
            28 if max((shorter for _, shorter in each(lambda image: min(image.size), "sizes")), default=0) <= 28 else 32
        )
    images = np.empty((len(paths), side, side, 3), np.uint8)
    for i, image in each(lambda image: square(image, side), f"{side} x {side} pixels"):
        images[i] = image
    kept = [i for i in range(len(paths)) if i not in broken]
    if broken:
        refuse(paths, broken, skip=skip_broken and bool(kept))
        images = images[kept]
    grey = (images == images[..., :1]).all()
    return np.ascontiguousarray(images[..., :1]) if grey else images, kept


def refuse(paths, broken, skip):
    """Raise DataError for files that cannot be read, {number: error}, or only print it."""
    errors = [str(broken[i]) for i in sorted(broken)]
    what = (
        errors[0]
        if len(errors) == 1
        else f"{len(errors)} of {len(paths)} images cannot be read: {'; '.join(errors[:5])}"
    )
    if not skip:
        raise DataError(f"{what}. --skip-broken leaves such files out")
    print(f"left out: {what}", file=sys.stderr)


def bar(paths, title):
    return tqdm(paths, desc=title, unit="image", leave=False, disable=None)


def opened(path, use):
    """Return use(image) for the image in a file. Raises DataError if it cannot be read, or is too large."""
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)  # Pillow's, over MAX_IMAGE_PIXELS
            with Image.open(path, formats=FORMATS) as image:
                return use(image)
    except Exception as error:  # Pillow raises many kinds of errors for damaged files
        raise DataError(f"{path}: not an image that can be read ({error})") from None


def square(image, side):
    """Return the upright middle square of an open image as an array (side, side, 3); white where transparent."""
    from PIL import Image, ImageOps

    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I"):  # 16 bits, which convert() would cut off at 255
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return np.asarray(ImageOps.fit(image.convert("RGB"), (side, side), Image.Resampling.LANCZOS))
