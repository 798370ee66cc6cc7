"""Train the classifier of the metrics on MNIST, and write the weights that the package contains.

    python bench/classifier.py

The script writes tinygan/metrics/mnist.npz and the record mnist.json beside it. The training takes about a quarter of
an hour on one core. Training uses only the training images. At the end the script prints the accuracy on the test
images.
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
