"""Draw docs/play.gif, an animation of the page of a run, from screenshots in Chromium.

python docs/animation.py runs/cgan-20260101-1        for a finished run with ten classes (half a minute)
"""

import argparse
import io
import json
import sys
from pathlib import Path

from PIL import Image

HERE = Path(__file__).parent
sys.path.append(str(HERE.parent / "tests"))

from browser import Browser  # noqa: E402

WIDTH, HEIGHT = 840, 736  # size of the window, in pixels
SCALE = 0.75  # size of a frame of the animation, relative to a screenshot
START = [0.3, -0.2, 0.6, -0.4, 0.2, 0.5, -0.3, 0.1]  # the first numbers of the latent vector; all others are 0
DONE = "while (play.waiting.length) await new Promise(requestAnimationFrame);"  # waits until the page is drawn


class Film:
    """The frames of an animation. Each frame is a screenshot of the page after a script has run."""

    def __init__(self, page):
        self.page, self.frames, self.seconds = page, [], []

    def take(self, script, seconds=0.1):
        self.page.run(script + DONE)
        with Image.open(io.BytesIO(self.page.screenshot())) as picture:
            size = int(WIDTH * SCALE), int(HEIGHT * SCALE)
            self.frames.append(picture.convert("RGB").resize(size, Image.Resampling.LANCZOS))
        self.seconds.append(seconds)

    def save(self, path):
        """Write all frames with one palette. Then the parts of the page that do not change need little space."""
        palette = self.frames[0].quantize(48)
        frames = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in self.frames]
        durations = [int(1000 * each) for each in self.seconds]
        frames[0].save(path, save_all=True, append_images=frames[1:], duration=durations, loop=0, optimize=True)


def act(film):
    """Change the first two numbers of the latent vector, choose classes, and walk to another latent vector."""
    film.take(
        f"goTo(play.point.map((_, i) => {json.dumps(START)}[i] ?? 0)); play.label = 3; showPoint(); newGrid();", 1
    )
    for i in (0, 1):
        for value in (*range(0, 20, 2), *range(20, -20, -2), *range(-20, 4, 2)):
            film.take(f"setLatent({i}, {value / 10});")
    for label in (2, 4, 5, 7, 8):
        film.take(f'document.querySelectorAll("#classes button")[{label}].click();', 0.6)
    other = f"play.point.map((_, i) => {json.dumps(START[::-1])}[i] ?? 0)"
    film.take(f"play.from = play.point; play.to = {other}; drawLater(play.ends);", 0.5)
    for t in range(0, 21):
        film.take(f"walkTo({t / 20});")
    film.take("", 1)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="the folder of a finished run with ten classes")
    args = parser.parse_args()
    with Browser() as browser:
        page = browser.open((args.run / "report.html").resolve().as_uri(), WIDTH, HEIGHT)
        film = Film(page)
        act(film)
        assert not page.errors()
        images = page.run(
            "const begun = performance.now(); for (let i = 0; i < 200; i++) play.G(play.point, 3);"
            "return 200000 / (performance.now() - begun);"
        )
    film.save(HERE / "play.gif")
    size = (HERE / "play.gif").stat().st_size / 1e6
    print(f"{HERE / 'play.gif'}: {len(film.frames)} frames, {size:.2f} MB; the page makes {images:.0f} images a second")


if __name__ == "__main__":
    main()
