"""The rows of each table: which are run by default, and what the rows of table 1 are based on."""

from dmcf_jax.methods.dmcf.published import COMPLETE, TABLE_ROWS

# The weakest source of what tells a row of table 1 apart, its network aside, which is a ResNet-50
# in all of them but `bdtr_alexnet`. "Our choice" where the sources leave open what its results
# depend on, "structure only" where they give next to no number; docs/decisions.md has the choices.
BASIS = {
    "lomo": "our choice",
    "mlapg": "our choice",
    "hog": "our choice",
    "gsm": "our choice",
    "one_stream": "our choice",
    "two_stream": "our choice",
    "zero_padding": "paper's text",
    "tone": "authors' code",
    "hcml": "authors' code",
    "bdtr": "authors' code",
    "cmgan": "port",
    "d2rl": "structure only",
    COMPLETE: "paper's text",
    # Rows that the paper does not have.
    "baseline_2019": "authors' code",
    "bdtr_alexnet": "authors' code",
    "xqda": "our choice",
    "agw": "authors' code",
    "hctri": "authors' code",
    "caj": "authors' code",
    "strong": "our choice",
    "dmcf_strong": "our choice",
}
TODAY = ("hctri", "agw", "caj", "strong", "dmcf_strong", COMPLETE)  # the table 'strong'
# Of table 1 on synthetic people: what two cores train in hours.
_FIRST_LOOK = ("hog", "lomo", "one_stream", "two_stream", "zero_padding", "bdtr", COMPLETE)


def default_rows(table: int | str, data: str) -> tuple[str, ...]:
    """Return the rows that are run where none are named.

    All that the paper has; of table 1 fewer on synthetic people. All of the table 'strong'.
    """
    if isinstance(table, str):
        return TODAY
    if table == 1 and data == "synthetic":
        return _FIRST_LOOK
    return TABLE_ROWS[table]


def basis_of(row: str) -> str:
    """Return what a row is based on; '-' for ablations and configs of one's own."""
    return BASIS.get(row, "-")
