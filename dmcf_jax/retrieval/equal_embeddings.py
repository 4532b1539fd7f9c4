"""Different pictures with the same embedding: a sign that their values were squeezed."""

import hashlib

from dmcf_jax.retrieval.embedding_set import EmbeddingSet

MOST_NAMED = 3  # pairs that the line names


def equal_embeddings(found: EmbeddingSet) -> str | None:
    """Return a line if pictures of different files have exactly equal embeddings, else None.

    Copies of one file are expected to; raw sensor pictures that use a small part of their range
    become equal, too, and so do pictures without any content.
    """
    hashes = list(found.hashes().items())
    first: dict[bytes, int] = {}
    pairs, row = [], 0
    for block in found.blocks() if len(hashes) == len(found) else ():
        for vector in block:
            other = first.setdefault(hashlib.sha256(vector.tobytes()).digest(), row)
            if hashes[other][1] != hashes[row][1]:
                pairs.append(f"{hashes[other][0]} = {hashes[row][0]}")
            row += 1
    if not pairs:
        return None
    named = ", ".join(pairs[:MOST_NAMED]) + (", ..." if len(pairs) > MOST_NAMED else "")
    return (
        f"{len(pairs)} pictures have exactly the embedding of another picture ({named}): are they "
        "raw sensor pictures (data.wide_range), or without content?"
    )
