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

BATCH = 250  # images at a time, so that memory does not grow with --n


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", metavar="RUN", help="the folder of a run")
    parser.add_argument("--n", type=int, default=64, help="how many images (default: 64)")
    parser.add_argument("--seed", type=int, default=0, help="of the latent points (default: 0)")
    parser.add_argument("--out", default="grid.png", help="a .png (grid) or .npz (array) file (default: grid.png)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N (default: auto)")
    args = parser.parse_args()
    out = Path(args.out)
    if args.n < 1 or args.seed < 0:
        parser.error("--n must be positive, and --seed must not be negative")
    if out.suffix not in (".png", ".npz"):
        parser.error(f"--out wants a name that ends in .png or .npz; got {out}")
    images = draw(args)
    if out.suffix == ".png":
        plots.save_grid(out, images)
    else:
        np.savez_compressed(out, images=images[..., 0] if images.shape[3] == 1 else images)
    print(f"{args.n} images in {out}")


def draw(args):
    """uint8 (N, H, W, C)"""
    backend.use(args.device)
    run = Run.open(args.run)
    gan = run.build()
    run.load(gan=gan)
    latent = backend.Generator(args.seed).normal((args.n, gan.latent_size))
    parts = [backend.to_host(gan.sample(latent[i : i + BATCH])) for i in range(0, args.n, BATCH)]
    return to_pixels(np.concatenate(parts))


if __name__ == "__main__":
    try:
        main()
    except (backend.DeviceError, ValueError, OSError) as error:
        sys.exit(f"sample.py: {error}")
