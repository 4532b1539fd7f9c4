"""The methods of the library. To add one: a file with its record, and a line here."""

from dmcf_jax.methods.dmcf.method import METHOD as DMCF
from dmcf_jax.methods.method import Method

METHODS: dict[str, Method] = {"dmcf": DMCF}
