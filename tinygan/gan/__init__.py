"""The game: what a GAN is, apart from arrays and files."""

from .gan import GAN, Phase

__all__ = ["GAN", "Phase"]
