"""The network of two streams that most methods train: levels, pooling, heads."""
