"""The game: networks, losses, penalties, and the training step that all presets share."""

from .gan import GAN, Phase
