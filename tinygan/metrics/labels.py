"""Metrics of the classes of samples, according to the classifier."""

import numpy as np


def classifier_score(logits):
    """exp E_x KL(p(y|x) || p(y)), from 1 to the number of classes        logits: (N, classes)

    p(y|x), the softmax of the logits, is the probability of class y for image x. p(y) is its mean over all images. The
    score is large if each image is clearly of one class, and all classes occur. The score of few images is biased. This
    is the Inception score (Salimans et al. 2016, section 4) with another classifier.
    """
    p = np.exp(logits - logits.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    return float(np.exp(relative_entropy(p, p.mean(0)).mean()))


def relative_entropy(p, q):
    """KL(p || q) = sum of p log(p / q) over the last axis. Terms with p = 0 are 0. Where p > 0, q must be positive."""
    return (p * np.log(np.where(p > 0, p, 1) / np.where(p > 0, q, 1))).sum(-1)


def frequencies(labels, classes):
    """Return the relative frequency of each class: (classes,)"""
    return np.bincount(labels, minlength=classes) / len(labels)


def divergence(labels, training_labels, classes):
    """Return KL(class frequencies of samples || class frequencies of the training set).

    One image of each class is added to the training set. So the result is finite even if the set lacks a class.
    """
    training_labels = np.append(training_labels, np.arange(classes))
    return float(relative_entropy(frequencies(labels, classes), frequencies(training_labels, classes)))


def modes(labels, training_labels, classes):
    """Return the number of classes whose frequency is at least a fifth of their frequency in the training set."""
    expected = frequencies(training_labels, classes)
    return int(((expected > 0) & (frequencies(labels, classes) >= 0.2 * expected)).sum())
