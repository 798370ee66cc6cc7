"""The ten exercises, solved: a GAN engine. The docstrings answer the questions."""
