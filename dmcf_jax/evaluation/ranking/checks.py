"""What cannot be ranked: embeddings without direction, NaN distances, unknown choices."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from dmcf_jax.errors import Problem, UserError, shorten

METRICS = ("cosine", "euclidean")
NAMED = 10
# Squared lengths that float32 can work with.
SHORTEST_SQUARE = 1e-74
LONGEST_SQUARE = {"cosine": 1e74, "euclidean": 1e37}


def check_choice(name: str, value: str, allowed: tuple[str, ...]) -> None:
    """Raise UserError about `name` unless `value` is one of `allowed`."""
    if value not in allowed:
        choices = ", ".join(map(repr, allowed))
        raise UserError(f"{name}={value!r}: must be one of {choices}", about=name)


def squared_norms(embeddings: Float[np.ndarray, "n d"]) -> Float[np.ndarray, " n"]:
    """Return each row's squared length in float64: NaN or infinite where the row is."""
    with np.errstate(over="ignore", invalid="ignore"):
        return np.einsum("nd,nd->n", embeddings, embeddings, dtype=np.float64)


def embedding_problems(
    squares: Float[np.ndarray, " n"],
    name: str,
    metric: str = "cosine",
    paths: Sequence[str] | np.ndarray | None = None,
) -> list[Problem]:
    """Return a problem for each embedding that cannot be compared: ten at most, and their number.

    Wrong is NaN, infinity, and a length that float32 cannot work with: for `cosine` also one of
    (almost) 0.

    Args:
        squares: the embeddings' `squared_norms`, which show all of these.
        name: what the rows are called; the problems are about it, or about `paths`.
    """
    finite = np.isfinite(squares)
    reasons = [
        (~finite, "has NaN or infinity"),
        (finite & (squares > LONGEST_SQUARE[metric]), "is too long for float32"),
    ]
    if metric == "cosine":
        reasons.append((squares < SHORTEST_SQUARE, "has length 0, so it has no direction"))
    found = [(int(row), reason) for rows, reason in reasons for row in np.flatnonzero(rows)]
    return _first_ten([_row_problem(row, reason, name, paths) for row, reason in sorted(found)])


def _row_problem(
    row: int, reason: str, name: str, paths: Sequence[str] | np.ndarray | None
) -> Problem:
    if paths is None:
        return Problem(name, f"{name} row {row} {reason}")
    return Problem(str(paths[row]), f"{name} row {row} ({paths[row]}) {reason}")


def rankable_squares(
    queries: Float[np.ndarray, "q d"], gallery: Float[np.ndarray, "g d"], metric: str
) -> tuple[Float[np.ndarray, " q"], Float[np.ndarray, " g"]]:
    """Return both sides' `squared_norms`.

    Raises:
        UserError: an unknown metric, or embeddings that cannot be compared, with their rows.
    """
    check_choice("metric", metric, METRICS)
    squares = squared_norms(queries), squared_norms(gallery)
    problems = embedding_problems(squares[0], "query", metric)
    problems += embedding_problems(squares[1], "gallery", metric)
    if problems:
        raise UserError.listing("embeddings that cannot be ranked:", problems)
    return squares


def matrix_problems(matrix: np.ndarray, rows_at_once: int = 256) -> list[Problem]:
    """Return a problem for each row of distances with NaN or infinity: ten at most, and a count."""
    bad = [
        start + row
        for start in range(0, len(matrix), rows_at_once)
        for row in np.flatnonzero(~np.isfinite(matrix[start : start + rows_at_once]).all(axis=1))
    ]
    return _first_ten(
        [Problem("distances", f"distances row {row} has NaN or infinity") for row in bad]
    )


def _first_ten(problems: list[Problem]) -> list[Problem]:
    """Return the first problems and, where there are many, one that counts the rest."""
    lines = shorten(problems, NAMED)
    return [*problems[: len(lines) - 1], Problem(problems[-1].about, lines[-1])] if lines else []
