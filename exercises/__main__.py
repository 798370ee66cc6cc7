"""Check the exercises: python -m exercises [number]"""

import argparse
import os
import sys

import tinygan
from tinygan.data import toy

from .checks import EXERCISES
from .checks.hints import HINTS
from .checks.running import FOLDER, SOLUTIONS, check, load

RING, MNIST = 100, 3  # epochs


def progress():
    """Check all exercises, and print a line for each. A solution takes the place of an exercise that is not done."""
    parts, first = {}, None
    for number, (_, title, _) in EXERCISES.items():
        wrong = check(number, FOLDER, parts)
        print(f"{number:3}  {title:42} {'open' if wrong else 'done'}")
        if wrong:
            first = first or (number, wrong)
            parts[number] = load(number, SOLUTIONS)
    print(f"\nExercise {first[0]}: {first[1]}" if first else "\nAll done: python -m exercises 10 trains your GAN.")


def one(number, from_here):
    """Check one exercise. Return (what is wrong or None, the exercises as modules)."""
    parts = {}
    for earlier in range(1, number):
        if from_here:
            parts[earlier] = load(earlier, SOLUTIONS)
        elif wrong := check(earlier, FOLDER, parts):
            numbers = "exercise 1" if number == 2 else f"exercises 1 to {number - 1}"
            return f"it uses exercise {earlier}: {wrong}\n(--from-here takes {numbers} from solutions/.)", parts
    return check(number, FOLDER, parts), parts


def train(module, world):
    os.environ["TINYGAN_KERNELS"] = "numpy"  # the reader's code never calls Numba, which would compile for a while
    tinygan.tune()  # NumPy's products are small: its threads would spend the time waiting for each other
    if world == "mnist":
        module.train("mnist", MNIST)
        return print("Look at mnist.png.")
    covered, modes, good = toy.judge("ring", module.train("ring", RING))
    print(
        f"G covers {covered} of {modes} clusters (5 to 7 are usual), and {good:.0%} of its points are in one: look at "
        "ring.png.\n"
        "(The tour, stop 7, says why a GAN drops clusters.) Now the digits: python -m exercises 10 --mnist"
    )


def main():
    parser = argparse.ArgumentParser(prog="python -m exercises", description="Check the exercises.")
    parser.add_argument("number", nargs="?", type=int, choices=EXERCISES, help="check one exercise, not all")
    parser.add_argument("--hint", nargs="?", type=int, const=1, choices=(1, 2, 3), help="print hints 1 to HINT")
    parser.add_argument("--from-here", action="store_true", help="take the earlier exercises from solutions/")
    parser.add_argument("--mnist", action="store_true", help="in exercise 10, train on MNIST in place of the ring")
    args = parser.parse_args()
    if args.number is None and (args.hint or args.from_here):
        parser.error("--hint and --from-here need the number of an exercise, such as: python -m exercises 5 --hint")
    if args.mnist and args.number != 10:
        parser.error("--mnist is for exercise 10: python -m exercises 10 --mnist")
    if args.number is None:
        return progress()
    if args.hint:
        return print("\n".join(f"{step}. {text}" for step, text in enumerate(HINTS[args.number][: args.hint], 1)))
    name, title, _ = EXERCISES[args.number]
    wrong, parts = one(args.number, args.from_here)
    if wrong:
        sys.exit(f"Exercise {args.number} ({name}.py, {title}) is not right yet: {wrong}")
    print(f"Exercise {args.number}, {title}: right.")
    if args.number == 10:
        train(parts[10], "mnist" if args.mnist else "ring")
    else:
        print("Now try its question. The answer is in the first line of the solution.")


if __name__ == "__main__":
    main()
