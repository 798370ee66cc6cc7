"""Train the network that measures quality on MNIST, and write the weights that come with the package.

    python bench/classifier.py

Writes tinygan/metrics/mnist.npz and the record mnist.json beside it, in about a quarter of an hour on one core. Only
the training images are used; its accuracy on the test images is printed at the end.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from tqdm import tqdm

from tinygan import backend, data
from tinygan.metrics import store

if __name__ == "__main__":
    backend.tune()
    _, record = store.make(store.SHIPPED, data.load(), data.load(split="test"), "python bench/classifier.py", tqdm)
    print(f"{store.SHIPPED}: {record['test_accuracy']:.2%} right on {record['test_images']} test images")
