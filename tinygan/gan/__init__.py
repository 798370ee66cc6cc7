"""The GAN itself: networks, losses, penalties, presets, and the training step that all presets use."""

from .gan import GAN, Phase
