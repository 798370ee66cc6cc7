"""Generate images with the generator G of a run.

    python sample.py RUN                            a grid of 64 images
    python sample.py RUN --digit 7 --n 100 --out sevens.png
    python sample.py RUN --group 3                  one group, if it has groups
    python sample.py RUN --interpolate              paths from image to image
    python sample.py RUN --interpolate --out a.gif  closed paths, an animation
    python sample.py RUN --nearest                  beside nearest real images
    python sample.py RUN --n 1000 --out a.npz       arrays
    python sample.py RUN --out generator.onnx       G itself, for other programs
    python sample.py RUN --out generator.npz        weights of G; only this name

RUN is the folder of a run, such as runs/cgan-20260101-1. If the run has
averaged weights of G (EMA), they are used, because they give better images.
--best uses the checkpoint with the best quality instead of the last one. A run
has this checkpoint if it was trained with --evaluate-every.

An .npz file, except generator.npz, contains these arrays:
    images    uint8 (N, H, W), or (N, H, W, 3) with colours; with --interpolate
              ten images of each path: (N, 10, H, W)
    labels    uint8 (N,): the class or group of each image, if the run has
              classes or groups
    nearest   with --nearest: the nearest training image of each image
    distance  with --nearest: the L2 distance from this training image, (N,)
    points    on toy data, instead of images: float32 (N, 2)
"""

import sys
from pathlib import Path

import numpy as np
from tqdm import tqdm

from tinygan import backend, data
from tinygan.app import class_names, export, interpolation, onnx_model, pictures, plots, worlds
from tinygan.app.errors import run_program
from tinygan.app.options import Parser, path
from tinygan.app.runs import Run
from tinygan.app.terminal import say
from tinygan.files import replace
from tinygan.metrics.neighbours import nearest

MOST = {".png": 10_000, ".npz": 100_000, ".gif": 100}  # the largest number of images or paths in a file
NETWORKS = {"generator.onnx": onnx_model.save, "generator.npz": export.save_npz}  # files with G instead of images


def arguments():
    parser = Parser(__doc__)
    parser.add_argument("run", metavar="RUN", type=path, help="the folder of a run")
    parser.add_argument("--n", type=int, help="number of images, paths or pairs (default: enough for one picture)")
    one = parser.add_mutually_exclusive_group()
    one.add_argument("--digit", help="only this class: its number or folder name (default: all classes in turn)")
    one.add_argument("--group", type=int, help="only this group of similar images; 0 is the largest (default: several)")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--interpolate", action="store_true", help="images on paths between random latent vectors")
    what.add_argument("--nearest", action="store_true", help="each image beside its nearest training image")
    parser.add_argument("--seed", type=int, default=0, help="seed of the latent vectors (default: 0)")
    parser.add_argument(
        "--out", default="grid.png", help="a .png, .npz or .onnx file; .gif with --interpolate (default: grid.png)"
    )
    best = parser.add_argument("--best", action="store_const", const="best", default="last", dest="checkpoint")
    best.help = "use the checkpoint with the best quality (train.py --evaluate-every) instead of the last"
    moved = "with --nearest: the new path of the training data, if it was moved"
    parser.add_argument("--data", type=path, metavar="DIR", help=moved)
    parser.add_argument("--skip-broken", action="store_true", help="with --nearest: leave out damaged image files")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N (default: auto)")
    parser.add_argument("--debug", action="store_true", help="print the traceback of an error")
    args = parser.parse_args()
    args.out = Path(args.out)
    args.kind = args.out.suffix.lower()  # .PNG is a PNG too
    args.network = NETWORKS.get("generator.onnx" if args.kind == ".onnx" else args.out.name)
    if args.network and (args.interpolate or args.nearest or args.n or (args.digit, args.group) != (None, None)):
        parser.error(f"--out {args.out} will contain G itself; leave out the options for images")
    kinds = [args.kind] if args.network else list(MOST) if args.interpolate else [".png", ".npz"]
    if args.kind not in kinds:
        gif = "; a .gif needs --interpolate" if args.kind == ".gif" else ""
        parser.error(f"--out must end in {' or '.join(kinds)}; got {args.out}{gif}")
    if not args.out.parent.is_dir():
        parser.error(f"--out {args.out}: there is no folder {args.out.parent}")
    most = min(MOST.get(args.kind, 1), 1000 if args.nearest or args.interpolate else 100_000)
    if args.n is not None and not 1 <= args.n <= most:
        parser.error(f"--n must be from 1 to {most} here; got {args.n}")
    if (args.data or args.skip_broken) and not args.nearest:
        parser.error("--data and --skip-broken need --nearest, because only --nearest reads the training images")
    if not 0 <= args.seed < 2**32:
        parser.error(f"--seed must be from 0 to {2**32 - 1}; got {args.seed}")
    return args


def main(args):
    backend.use(args.device)
    backend.tune()
    run = Run.open(args.run)
    run.settings = run.settings.with_data(args.data, args.skip_broken)
    if run.settings.points and (args.interpolate or args.nearest):
        raise ValueError(f"{args.run} is a run on toy data: --interpolate and --nearest are for images")
    kind, other = ("group", "digit") if run.settings.groups else ("digit", "group")
    if getattr(args, other) is not None:
        raise ValueError(f"--{other} does not fit {args.run}: it has {class_names.listed(run.settings)} (--{kind})")
    wanted = getattr(args, kind)
    args.label = None if wanted is None else class_names.number(run, wanted)
    training = run.settings.training()
    run.load_generator(training, args.checkpoint)
    if args.network:
        args.network(args.out, export.generator(training, run.settings.shape, class_names.of(run.settings)))
    elif run.settings.points:
        draw_points(args, run, training)
    else:
        draw_images(args, run, training)
    say(f"written: {args.out}")
    return 0


def draw_points(args, run, training):
    """Write generated points of toy data, float32 (N, 2). A picture also shows real points."""
    latent = backend.RNG(args.seed).normal((args.n or 1000, training.gan.latent_size))
    points = backend.to_host(training.sample(latent))
    if args.kind == ".png":
        real = data.load(run.settings.data).images[: len(points)]
        plots.save_points(args.out, real, points, worlds.EDGE)
    else:
        replace(args.out, lambda file: np.savez_compressed(file, points=points))


def draw_images(args, run, training):
    """Write generated images, by one of the functions grid, pairs and paths.

    Each of them returns (images, the number of columns of the picture, the arrays of an .npz).
    """
    draw = paths if args.interpolate else pairs if args.nearest else grid
    in_turn = training.gan.classes if args.label is None else 0  # the images have classes 0, ..., in_turn - 1 in turn
    if run.settings.groups and in_turn:  # if in_turn is 0, groups occur in proportion to their sizes
        in_turn = 0 if args.n or args.nearest else min(in_turn, pictures.GROUPS)
    drawn, columns, arrays = draw(args, run, training, in_turn)
    if args.kind == ".png":
        names = [] if args.nearest else class_names.captions(run.settings)[:in_turn]
        plots.save_grid(args.out, drawn, columns, names)
    elif args.kind == ".gif":
        plots.save_gif(args.out, [plots.grid(picture, columns) for picture in drawn], 0.07, 0.07)
    else:
        replace(args.out, lambda file: np.savez_compressed(file, **arrays))


def grid(args, run, training, in_turn):
    """Generate images. If the classes come in turn, there are ten images of class 0, then ten of class 1, and so on."""
    n = args.n or 10 * in_turn or 64
    labels = chosen(args, training, in_turn, np.arange(n) // 10)
    images = sample(args, training, n, labels)
    return images, 10 if in_turn else None, named(images=images, labels=labels)


def pairs(args, run, training, in_turn):
    """Generate images, each beside its nearest training image."""
    n = args.n or 20
    dataset = run.dataset()
    labels = chosen(args, training, in_turn, np.arange(n))
    images = sample(args, training, n, labels)
    where, distance = nearest_in_blocks(images, dataset.images)
    say(
        f"distances to the nearest of {len(dataset.images)} training images: {distance.min():.2f} to "
        f"{distance.max():.2f}, median {np.median(distance):.2f} (L2, pixels from 0 to 1; 0 is a copy)"
    )
    gap = np.zeros_like(images[:, :, :8])  # a gap between two pairs
    beside = np.concatenate([images, dataset.images[where], gap], 2)
    return beside, min(n, 5), named(images=images, nearest=dataset.images[where], distance=distance, labels=labels)


def nearest_in_blocks(images, among, block=8192):
    """Return, for each of `images`, the index of the nearest image in `among` and its L2 distance: (N,), (N,).

    images, among: uint8. The distances are for pixels from 0 to 1.
    """
    found = []
    for start in tqdm(range(0, len(among), block), desc="nearest", leave=False, disable=None):
        where, distance = nearest(images, among[start : start + block])
        found.append((start + where, distance / 255))
    where, distance = (np.stack(each) for each in zip(*found))  # (blocks, N)
    best = distance.argmin(0), np.arange(len(images))
    return where[best], distance[best]


def paths(args, run, training, in_turn):
    """Generate images on paths between latent vectors: the frames of closed paths for a .gif, else strips."""
    animated = args.kind == ".gif"
    n = args.n or in_turn or (25 if animated else 6)
    labels = chosen(args, training, in_turn, np.arange(n))
    rng = backend.RNG(args.seed)
    classes = None if labels is None else backend.to_device(labels)
    if animated:
        return interpolation.loops(training, rng, n, classes), min(n, 10) if in_turn else None, {}
    strips = interpolation.strips(training, rng, n, classes)
    return strips.reshape(-1, *strips.shape[2:]), strips.shape[1], named(images=strips, labels=labels)


def chosen(args, training, in_turn, numbers):
    """Return the class of each image, integers (N,), or None if G has no classes. numbers: integers (N,)

    With --digit or --group, all images have this class. Otherwise the classes are numbers % in_turn. If in_turn is 0,
    the classes occur in proportion to their sizes in the data.
    """
    if args.label is not None:
        return np.full(len(numbers), args.label)
    if in_turn:
        return numbers % in_turn
    return backend.to_host(training.mixed_classes(len(numbers))) if training.gan.classes else None


def sample(args, training, n, labels):
    """Generate n images: uint8 (n, H, W, C). labels: integers (n,), or None"""
    latent = backend.RNG(args.seed).normal((n, training.gan.latent_size))
    classes = None if labels is None else backend.to_device(labels)
    return data.to_pixels(backend.to_host(training.sample(latent, classes)))


def named(labels, **arrays):
    """Return the arrays for an .npz. Grey images become (N, H, W), and labels become uint8."""
    arrays = {name: a[..., 0] if a.ndim > 1 and a.shape[-1] == 1 else a for name, a in arrays.items()}
    return arrays if labels is None else {**arrays, "labels": labels.astype(np.uint8)}


if __name__ == "__main__":
    sys.exit(run_program("sample.py", main, arguments()))
