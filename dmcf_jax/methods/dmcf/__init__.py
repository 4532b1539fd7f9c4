"""DMCF, the paper in one room: levels, network, losses, optimiser, step, published figures."""
