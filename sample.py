"""Draw images from a finished run.

python sample.py runs/dcgan-20260101-1 --n 100 --out grid.png
python sample.py runs/dcgan-20260101-1 --n 1000 --out samples.npz      images: uint8 (N, H, W, C or none if 1)
"""

import argparse
import sys
from pathlib import Path

import numpy as np

from tinygan import backend, plots
from tinygan.data import to_pixels
from tinygan.runs import Run


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", metavar="RUN", help="the folder of a run")
    parser.add_argument("--n", type=int, help="how many images (default: 64, or ten of each class)")
    parser.add_argument("--digit", type=int, help="of this class only (a run of preset cgan; default: each in turn)")
    parser.add_argument("--seed", type=int, default=0, help="of the latent points (default: 0)")
    parser.add_argument("--out", default="grid.png", help="a .png (grid) or .npz (array) file (default: grid.png)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N (default: auto)")
    args = parser.parse_args()
    out = Path(args.out)
    if (args.n is not None and args.n < 1) or args.seed < 0:
        parser.error("--n must be positive, and --seed must not be negative")
    if out.suffix not in (".png", ".npz"):
        parser.error(f"--out wants a name that ends in .png or .npz; got {out}")
    images, labels = draw(args)
    if out.suffix == ".png":
        plots.save_grid(out, images, 10 if labels is not None else None)
    else:
        arrays = {"images": images[..., 0] if images.shape[3] == 1 else images}
        np.savez_compressed(out, **arrays if labels is None else {**arrays, "labels": labels})
    print(f"{len(images)} images in {out}")


def draw(args):
    """Images, uint8 (N, H, W, C), and their classes, uint8 (N,) or None."""
    backend.use(args.device)
    run = Run.open(args.run)
    classes = run.settings["classes"] if run.preset.conditional else 0
    if len(run.settings["shape"]) == 1:
        raise ValueError(f"{args.run} is a run on a toy world: its pictures are in {run.samples}")
    if args.digit is not None and not 0 <= args.digit < classes:
        raise ValueError(f"{args.run} can be asked for " + (f"digits 0 to {classes - 1}" if classes else "no digit"))
    training = run.build()
    run.load_generator(training)
    n = args.n or (10 * classes if classes and args.digit is None else 64)
    labels = None
    if classes:
        labels = np.arange(n) // 10 % classes if args.digit is None else np.full(n, args.digit)
    latent = backend.Generator(args.seed).normal((n, run.preset.latent_size))
    chosen = backend.to_device(labels) if classes else None
    images = to_pixels(backend.to_host(training.sample(latent, chosen)))
    return images, None if labels is None else labels.astype(np.uint8)


if __name__ == "__main__":
    try:
        main()
    except (backend.DeviceError, ValueError, OSError) as error:
        sys.exit(f"sample.py: {error}")
