"""Configs that people edit; installed as dmcf_jax.configs, where `--config=regdb` finds them."""
