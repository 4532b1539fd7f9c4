"""The methods of the library. To add one: a file with its record, and a line here."""

from dmcf_jax.methods import agw, bdtr, cmgan, d2rl, gsm, hcml, hctri, identity, matchers, tone
from dmcf_jax.methods.dmcf import method as dmcf
from dmcf_jax.methods.method import Method

METHODS: dict[str, Method] = {
    "dmcf": dmcf.METHOD,
    "identity": identity.METHOD,
    "bdtr": bdtr.METHOD,
    "tone": tone.METHOD,
    "hcml": hcml.METHOD,
    "gsm": gsm.METHOD,
    "cmgan": cmgan.METHOD,
    "d2rl": d2rl.METHOD,
    "agw": agw.METHOD,
    "hctri": hctri.METHOD,
    "hog": matchers.HOG,
    "lomo": matchers.LOMO,
    "mlapg": matchers.MLAPG,
    "xqda": matchers.XQDA,
}
