"""Draw colour images of 32 pixels: letters in many fonts and two random colours, with a folder for each letter.

    python bench/letters.py DIR               30,000 images in DIR/train and 10,000 in DIR/test
    python train.py --data DIR

The fonts come from matplotlib. The images depend only on these fonts and on the seed in this file.
"""

import sys
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

LETTERS = "ABCDEFGHIJ"
SPLITS = {"train": 30_000, "test": 10_000}
SIDE, LARGER = 32, 4  # pixels along a side; letters are drawn four times larger, and then reduced
FONTS = ("DejaVuS*.ttf", "STIXGeneral*.ttf", "cmb10.ttf", "cmr10.ttf", "cmss10.ttf", "cmti10.ttf", "cmtt10.ttf")
CONTRAST = 0.35  # least difference in brightness (0 to 1) between a letter and its background


def fonts():
    folder = Path(matplotlib.get_data_path()) / "fonts/ttf"
    paths = sorted(path for pattern in FONTS for path in folder.glob(pattern) if "Display" not in path.name)
    return [ImageFont.truetype(path, size * LARGER) for path in paths for size in range(20, 27)]


def colours(rng):
    """Return two RGB colours (0 to 255) of different brightness."""
    while True:
        pair = rng.random((2, 3))
        if abs(np.subtract(*pair @ (0.3, 0.6, 0.1))) > CONTRAST:
            return [tuple(map(int, colour * 255)) for colour in pair]


def draw(letter, font, rng):
    """Draw one image: the letter in a random place, turned a little."""
    side = SIDE * LARGER
    centre = side / 2 + rng.uniform(-3, 3, 2) * LARGER
    mask = Image.new("L", (side, side))
    ImageDraw.Draw(mask).text(tuple(centre), letter, fill=255, font=font, anchor="mm")
    mask = mask.rotate(rng.uniform(-15, 15), Image.Resampling.BILINEAR).resize((SIDE, SIDE), Image.Resampling.BOX)
    ink, paper = (Image.new("RGB", (SIDE, SIDE), colour) for colour in colours(rng))
    return Image.composite(ink, paper, mask)


def main(folder):
    rng, choice = np.random.default_rng(0), fonts()
    for split, n in SPLITS.items():
        for letter in LETTERS:
            (folder / split / letter).mkdir(parents=True, exist_ok=True)
        for i in range(n):
            letter = LETTERS[i % len(LETTERS)]
            draw(letter, choice[rng.integers(len(choice))], rng).save(folder / split / letter / f"{i:05d}.png")
    print(f"{folder}: {SPLITS}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
