"""Metrics of the classes that the classifier finds in samples."""

import numpy as np


def classifier_score(logits):
    """exp E_x KL(p(y|x) || p(y)), from 1 to the number of classes: high when each image is clearly of one class, and
    all classes occur. The Inception score (Salimans et al. 2016, section 4) on this classifier, with p(y) of all
    samples at once: computed on small splits it would be biased."""
    p = np.exp(logits - logits.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    return float(np.exp(relative_entropy(p, p.mean(0)).mean()))


def relative_entropy(p, q):
    """KL(p || q) = sum p log(p / q) over the last axis. Terms with p = 0 count as 0; q must be positive where p is."""
    return (p * np.log(np.where(p > 0, p, 1) / np.where(p > 0, q, 1))).sum(-1)


def shares(labels, classes):
    """Return the share of each class: (classes,), with the sum 1."""
    return np.bincount(labels, minlength=classes) / len(labels)


def divergence(labels, training_labels, classes):
    """Return the KL divergence of the classes of samples from those of the training set.

    One image of each class is added to the training set, so a class that it lacks costs much, but not infinitely much.
    """
    training_labels = np.append(training_labels, np.arange(classes))
    return float(relative_entropy(shares(labels, classes), shares(training_labels, classes)))


def modes(labels, training_labels, classes):
    """Return how many classes appear at least a fifth as often as in the training set."""
    expected = shares(training_labels, classes)
    return int(((expected > 0) & (shares(labels, classes) >= 0.2 * expected)).sum())
