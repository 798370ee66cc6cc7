"""The ten exercises: the name of the file, the title, and the check, a function of {number: module}."""

from . import derivatives, game, graph, layers, learning

EXERCISES = {
    1: ("e01_vjps", "the derivatives of three operations", derivatives.vjps),
    2: ("e02_graph", "the graph and the backward pass", graph.graph),
    3: ("e03_broadcasting", "broadcasting", derivatives.broadcasting),
    4: ("e04_linear", "the matrix product and a linear layer", derivatives.linear),
    5: ("e05_convolution", "convolution by patches", layers.convolution),
    6: ("e06_batchnorm", "BatchNorm in training and in evaluation", layers.batchnorm),
    7: ("e07_losses", "the losses, from logits", learning.losses),
    8: ("e08_adam", "Adam", learning.adam),
    9: ("e09_game", "one step of the game", game.game),
    10: ("e10_train", "train: the ring, then digits", game.training),
}
