"""Image files (PNG, JPEG, WebP, BMP) in one folder, in a folder for each class, or in folders train and test.

    DIR/a.png ...      DIR/cats/a.png, DIR/dogs/a.png ...      DIR/train/cats/a.png, DIR/test/cats/b.png ...
The square in the middle of each image is resized to the same size. The default size is 28 pixels if no square is
larger, else 32. If no image has colours, there is one channel, else three. Classes are numbered in the order of the
names of their folders. Names that are numbers come first, ordered by value.
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
    """Return whether the folder has image files, at most two folders deep, and no IDX file of images."""
    if any("images" in path.name.lower() and begins_like_idx(path) for path in folder.glob("*") if path.is_file()):
        return False
    return any(any(map(images_in, inner)) for inner in ([folder], folder.glob("*"), folder.glob("*/*")))


def begins_like_idx(path):
    """Return whether the first two bytes are as in an IDX file or a gzipped file."""
    try:
        with open(path, "rb") as file:
            return file.read(2) in (b"\0\0", b"\x1f\x8b")
    except OSError:
        return False


def load_folder(folder, split, size=None, skip_broken=False):
    """Return the images of a split in a folder as a Dataset. The folders of the images are the classes.

    skip_broken: leave out files that cannot be read. If False, such a file raises DataError. Prints to stderr how many
    other files the folder of the split contains.
    """
    root, roots = find(folder, split)
    inner = {path.name for each in roots for path in folders(each) if images_in(path)}
    names = sorted(inner, key=lambda name: (0, int(name), name) if name.isdecimal() else (1, 0, name))
    flat, classes = images_in(root), [images_in(root / name) for name in names]
    if bool(flat) == any(classes):
        found = "has images, and folders with images" if flat else "has no image (PNG, JPEG, WebP, BMP)"
        raise DataError(f"{root} {found}: put all images into it, or all into one folder for each class")
    if len(names) > 256:
        raise DataError(f"{root} has {len(names)} folders with images; at most 256 classes are supported")
    paths = [*flat, *(path for paths in classes for path in paths)]
    labels = np.repeat(np.arange(len(names)).astype(np.uint8), [len(paths) for paths in classes])
    name = folder.absolute().name
    say_ignored(root, paths)
    images, kept = read(paths, name, size, skip_broken)
    if len(names) < 2:  # with a single class, labels contain no information
        return Dataset(images, None, name)
    return Dataset(images, labels[kept], name, tuple(names))


def say_ignored(root, paths):
    """Print to stderr how many files in a folder are not read, by the suffixes of their names."""
    read_too = set(paths)
    others = [path for path in root.rglob("[!.]*") if path.is_file() and path not in read_too]
    deeper = "images in deeper folders"
    kinds = Counter(deeper if p.suffix.lower() in SUFFIXES else p.suffix or "without a suffix" for p in others)
    if kinds:
        counts = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common(5))
        print(f"{root}: {len(others)} files in it are not read: {counts!r}".replace("'", ""), file=sys.stderr)


def find(folder, split):
    """Return the folder of this split, and the folders of all splits. All splits together determine the classes."""
    of_split = {name: kind for kind, names in SPLITS.items() for name in names}
    inner = folders(folder)
    if inner and all(path.name.lower() in of_split for path in inner):
        chosen = [path for path in inner if of_split[path.name.lower()] == split]
    else:
        inner, chosen = [folder], [folder] if split == "train" else []
    if not chosen:
        raise NotThere(f"{folder} has no {split} images: it needs a folder with the name {split}")
    if len(chosen) > 1:
        names = ", ".join(sorted(path.name for path in chosen))
        raise DataError(f"{folder}: several folders of {split} images: {names}; keep one")
    return chosen[0], inner


def folders(folder):
    """Return the folders in a folder, without hidden ones."""
    return [path for path in folder.iterdir() if path.is_dir() and not path.name.startswith((".", "__"))]


def images_in(folder):
    """Return the image files in a folder, sorted by name; none if there is no such folder."""
    found = (path for path in folder.glob("*") if path.suffix.lower() in SUFFIXES and not path.name.startswith("."))
    return sorted(path for path in found if path.is_file())


def read(paths, name, side=None, skip_broken=False):
    """Return the images of these files, uint8 (N, side, side, 1 or 3), and the indices of the files that were read.

    name: the title of the progress bar. Raises DataError for files that cannot be read, unless skip_broken is True.
    """
    broken = {}  # index of the file: the error

    def each(use, title):
        for i, path in enumerate(bar(paths, f"{name}: {title}")):
            if i not in broken:
                try:
                    yield i, opened(path, use)
                except DataError as error:
                    broken[i] = error

    if not side:
        largest = max((shorter for _, shorter in each(lambda image: min(image.size), "sizes")), default=0)
        side = 28 if largest <= 28 else 32
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


def bar(paths, title):
    return tqdm(paths, desc=title, unit="image", leave=False, disable=None)


def opened(path, use):
    """Return use(image), where image is the opened file. Raises DataError if the file is damaged or too large."""
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)  # raised above MAX_IMAGE_PIXELS
            with Image.open(path, formats=FORMATS) as image:
                return use(image)
    except Exception as error:  # Pillow raises many kinds of errors for damaged files
        raise DataError(f"{path} is not an image that can be read ({error})") from None


def square(image, side):
    """Return the middle square of an opened image as an array (side, side, 3). Transparent pixels become white."""
    from PIL import Image, ImageOps

    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I"):  # 16 bits a pixel; convert() would clip values at 255
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return np.asarray(ImageOps.fit(image.convert("RGB"), (side, side), Image.Resampling.LANCZOS))
