"""The losses of `dmcf_jax/methods/losses` and HCML's objective in PyTorch, one row at a time.

The independent truth of tests/methods/losses/test_golden.py, written from the formulas of the
papers. Loops and float64: slow, and easy to compare with a formula.
"""

import torch
from torch import Tensor
from torch.nn import functional as F


def distance(one: Tensor, other: Tensor) -> Tensor:
    """Return the Euclidean distance; PyTorch's norm has a gradient of zero at zero."""
    return torch.linalg.vector_norm(one - other)


def softplus(x: Tensor) -> Tensor:
    """Return log(1 + exp(x)); PyTorch's own returns x above 20."""
    return torch.logaddexp(x, torch.zeros_like(x))


def mean(values: list[Tensor], like: Tensor) -> Tensor:
    """Return the mean; of nothing, a zero that depends on `like`."""
    return torch.stack(values).mean() if values else 0.0 * like.sum()


def split(distances: list[Tensor], labels: Tensor, label: Tensor) -> tuple[Tensor, Tensor] | None:
    """Return an anchor's distances to own and to other rows, None without a row of another."""
    own = [d for d, y in zip(distances, labels, strict=True) if y == label]
    other = [d for d, y in zip(distances, labels, strict=True) if y != label]
    return (torch.stack(own), torch.stack(other)) if other else None


def groups(rows: Tensor, labels: Tensor) -> list[tuple[Tensor, Tensor]]:
    """Return the distances of each anchor that has both, the row itself among its own."""
    anchors = zip(rows, labels, strict=True)
    found = [split([distance(anchor, row) for row in rows], labels, y) for anchor, y in anchors]
    return [one for one in found if one]


def batch_hard(rows: Tensor, labels: Tensor, margin: float) -> Tensor:
    """Hermans et al. 2017, the paper's eq. 8."""
    hinges = [F.relu(margin + own.max() - other.min()) for own, other in groups(rows, labels)]
    return mean(hinges, rows)


def soft_margin(rows: Tensor, labels: Tensor) -> Tensor:
    """Hermans et al. 2017: the hinge as log(1 + exp(x))."""
    return mean([softplus(own.max() - other.min()) for own, other in groups(rows, labels)], rows)


def weighted_gaps(rows: Tensor, labels: Tensor) -> list[Tensor]:
    """Return AGW's weighted own distance less the weighted other one, by anchor."""
    return [
        (own.softmax(0) * own).sum() - ((-other).softmax(0) * other).sum()
        for own, other in groups(rows, labels)
    ]


def weighted(rows: Tensor, labels: Tensor) -> Tensor:
    """AGW's weighted regularised triplet."""
    return mean([softplus(gap) for gap in weighted_gaps(rows, labels)], rows)


def squared_difference(rows: Tensor, labels: Tensor) -> Tensor:
    """CAJ's form of it."""
    squares = [(gap, (gap**2).clamp(max=88.0)) for gap in weighted_gaps(rows, labels)]
    return mean([softplus(q if gap > 0 else -q) for gap, q in squares], rows)


def both_ways(visible: Tensor, infrared: Tensor) -> tuple[tuple[Tensor, Tensor], ...]:
    """Return (anchors, candidates) of the two directions."""
    return (visible, infrared), (infrared, visible)


def ranking(
    visible: Tensor, infrared: Tensor, labels: Tensor, margin: float, intra_margin: float
) -> tuple[Tensor, Tensor]:
    """BDTR's terms across and within the modalities."""
    cross, intra = visible.new_zeros(()), visible.new_zeros(())
    for anchors, candidates in both_ways(F.normalize(visible), F.normalize(infrared)):
        hinges, apart = [], []
        for anchor, label in zip(anchors, labels, strict=True):
            distances = torch.stack([distance(anchor, row) for row in candidates])
            if (labels == label).all():
                continue
            own = distances.masked_fill(labels != label, -torch.inf).argmax()
            other = distances.masked_fill(labels == label, torch.inf).argmin()
            hinges.append(F.relu(distances[own] - distances[other] + margin))
            apart.append(F.relu(intra_margin - distance(candidates[own], candidates[other])))
        cross, intra = cross + mean(hinges, visible), intra + mean(apart, visible)
    return cross, intra


def cross_triplet(visible: Tensor, infrared: Tensor, labels: Tensor, margin: float) -> Tensor:
    """Return the triplets of cmGAN with the hardest rows of the other modality."""
    total = visible.new_zeros(())
    for anchors, candidates in both_ways(visible, infrared):
        found = [
            split([distance(anchor, row) for row in candidates], labels, label)
            for anchor, label in zip(anchors, labels, strict=True)
        ]
        hinges = [F.relu(margin + one[0].max() - one[1].min()) for one in found if one]
        total = total + mean(hinges, visible)
    return total


def drawn_triplet(visible: Tensor, infrared: Tensor, images: int, margin: float) -> Tensor:
    """Return those with the next image as positive and the next person's as negative."""
    total, count = visible.new_zeros(()), len(visible)
    for anchors, candidates in both_ways(visible, infrared):
        for row, anchor in enumerate(anchors):
            person, image = divmod(row, images)
            own = distance(anchor, candidates[person * images + (image + 1) % images])
            other = distance(anchor, candidates[(row + images) % count])
            total = total + F.relu(margin + own - other) / count
    return total


def centres(rows: Tensor, images: int) -> list[Tensor]:
    """Return the mean of each person's rows."""
    return [sum(chunk) / images for chunk in rows.split(images)]


def centre_triplet(
    visible: Tensor, infrared: Tensor, labels: Tensor, images: int, margin: float
) -> Tensor:
    """HcTri's loss: `batch_hard` of the centres."""
    people = labels[::images]
    both = torch.stack([*centres(visible, images), *centres(infrared, images)])
    return batch_hard(both, torch.cat([people, people]), margin)


def centre(visible: Tensor, infrared: Tensor, images: int) -> Tensor:
    """Zhu et al. 2020: squared distances of each person's two centres, added up."""
    pairs = zip(centres(visible, images), centres(infrared, images), strict=True)
    return sum(((one - other) ** 2).sum() for one, other in pairs)


def contrastive(visible: Tensor, infrared: Tensor, labels: Tensor, temperature: float) -> Tensor:
    """CLIP's loss with all pairs of a person as positives."""
    values = []
    for anchors, candidates in both_ways(F.normalize(visible), F.normalize(infrared)):
        for anchor, label in zip(anchors, labels, strict=True):
            shares = F.log_softmax(candidates @ anchor / temperature, dim=0)
            values.append(-shares[labels == label].mean())
    return mean(values, visible)


def supervised_contrastive(rows: Tensor, labels: Tensor, temperature: float) -> Tensor:
    """Khosla et al. 2020, the mean outside of the logarithm."""
    units, values = F.normalize(rows), []
    for i, label in enumerate(labels):
        others = torch.arange(len(labels)) != i
        shares = F.log_softmax(units[others] @ units[i] / temperature, dim=0)
        own = labels[others] == label
        values += [-shares[own].mean()] if own.any() else []
    return mean(values, rows)


def tone(
    visible: Tensor, infrared: Tensor, labels: Tensor, margin: float, by_column: bool
) -> Tensor:
    """TONE's loss of pairs; the second half of the rows meet the infrared row before theirs."""
    count = len(labels)
    partner = [row if row < count // 2 else row - 1 for row in range(count)]
    infrared, same = infrared[partner], labels == labels[partner]
    axis = 0 if by_column else 1
    visible, infrared = F.normalize(visible, dim=axis), F.normalize(infrared, dim=axis)
    values = [
        distance(v, t) ** 2 if own else F.relu(margin - distance(v, t)) ** 2
        for v, t, own in zip(visible, infrared, same, strict=True)
    ]
    return mean(values, visible) / 2


def gsm(visible: Tensor, infrared: Tensor, labels: Tensor, offset: float) -> Tensor:
    """GSM's hinge; rows are [A f, C f, d.f] of a modality."""
    size, hinges = visible.shape[1] // 2, []
    for i, x in enumerate(visible):
        for j in (i, i - 1):
            z = infrared[j]
            squares = (x[:size] ** 2).sum() + (z[:size] ** 2).sum()
            product = (x[size:-1] * z[size:-1]).sum()
            value = squares + 2 * x[-1] - 2 * product + 2 * z[-1] + offset
            hinges.append(F.relu(1 + value if labels[i] == labels[j] else 1 - value))
    return mean(hinges, visible)


def softmax(logits: Tensor, labels: Tensor, smoothing: float) -> Tensor:
    """Return the softmax loss of smoothed one-hot labels, written out."""
    even = torch.full_like(logits, smoothing / logits.shape[1])
    target = even + (1 - smoothing) * F.one_hot(labels, logits.shape[1])
    return -(target * logits.log_softmax(1)).sum(1).mean()


def cosine_softmax(rows: Tensor, weights: Tensor, labels: Tensor, scale: float) -> Tensor:
    """NormFace: the softmax loss of scaled cosines; `weights` has a row for each class."""
    logits = torch.stack([F.cosine_similarity(row[None], weights) for row in rows])
    return F.cross_entropy(scale * logits, labels)


def hcml(
    visible: Tensor, infrared: Tensor, labels: Tensor, maps: tuple[Tensor, Tensor], metric: Tensor
) -> Tensor:
    """F of HCML for the maps V and T and the metric M."""
    people, deviations, means = labels.unique(), [], []
    for rows in (visible, infrared):
        means.append(torch.stack([rows[labels == p].mean(0) for p in people]))
        deviations.append(rows - means[-1][torch.searchsorted(people, labels)])
    middle = mean([distance(x, z) ** 2 for x in means[0] for z in means[1]], visible)
    count, total = len(people), visible.new_zeros(())
    for i, x in enumerate(means[0]):
        for j, z in enumerate(means[1]):
            gap = x @ maps[0] - z @ maps[1]
            sign = 1 if i == j else -1
            weight = 1 / count if i == j else 1 / (count * (count - 1))
            total = total + weight * softplus(sign * (gap @ metric @ gap - middle))
    for rows, transform in zip(deviations, maps, strict=True):
        total = total + 0.2 * softplus(((rows @ transform) ** 2).sum(1)).mean()
    return total
