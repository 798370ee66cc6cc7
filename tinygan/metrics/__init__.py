"""Measures of the quality of samples, which evaluate.py prints. Computed on the host, in float64."""

from .classifier import Classifier, cross_entropy
from .evaluator import Evaluator
from .frechet import frechet, moments
from .store import MetricsError

__all__ = ["Classifier", "Evaluator", "MetricsError", "cross_entropy", "frechet", "moments"]
