"""Networks: ResNet streams and the DMCF built on them (Flax Linen stays in this folder)."""
