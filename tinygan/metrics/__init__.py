"""Metrics of the quality of samples. Features are computed on the device, metrics on the host."""

from .classifier import Classifier, cross_entropy
from .evaluator import Evaluator
from .frechet import frechet, moments
from .store import MetricsError

__all__ = ["Classifier", "Evaluator", "MetricsError", "cross_entropy", "frechet", "moments"]
