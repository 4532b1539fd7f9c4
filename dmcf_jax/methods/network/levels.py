"""Which features the network has, what they are called and which losses they have.

Notation follows the paper (Cheng et al., IEEE Access 2020, section III): the outputs of chosen
ResNet stages are levels B; each level gives a global feature G and, if divided, parts R.
"""

import dataclasses

LEVEL_OF_STAGE = {"layer1": "lowest", "layer2": "low", "layer3": "middle", "layer4": "high"}


@dataclasses.dataclass(frozen=True)
class Feature:
    """One pooled feature of one level.

    Attributes:
        name: the paper's symbol, `G1`.. for global features, `R1`.. for reduced parts.
        stage: the ResNet stage whose output is pooled.
        level: `lowest`, `low`, `middle` or `high`.
        stripe: index of the horizontal stripe from the top, None for the whole map.
        stripes: number of stripes that the level is divided in.
    """

    name: str
    stage: str
    level: str
    stripe: int | None
    stripes: int

    @property
    def is_global(self) -> bool:
        """Whether the feature pools the whole map (G) rather than one stripe (R)."""
        return self.stripe is None


def features_of(stages: tuple[str, ...], stripes: tuple[int, ...]) -> tuple[Feature, ...]:
    """Return the features of the chosen stages, low to high (eq. 4-7).

    The default, `('layer2', 'layer3', 'layer4')` divided by `(1, 2, 3)`, gives the paper's
    G1, G2 R1 R2, G3 R3 R4 R5. A level with one stripe has its global feature only.
    """
    features, parts = [], 0
    for number, (stage, count) in enumerate(zip(stages, stripes, strict=True), start=1):
        level = LEVEL_OF_STAGE[stage]
        features.append(Feature(f"G{number}", stage, level, None, count))
        for stripe in range(count if count > 1 else 0):
            parts += 1
            features.append(Feature(f"R{parts}", stage, level, stripe, count))
    return tuple(features)


def levels_of(features: tuple[Feature, ...]) -> tuple[str, ...]:
    """Return the level names in order, each once: those that have a sigma."""
    return tuple(dict.fromkeys(feature.level for feature in features))
