"""Images of one modality in the other: two encoders, two generators (D2RL's part T_I)."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Float

from dmcf_jax.methods.network.interleave import interleave
from dmcf_jax.modality import MODALITIES
from dmcf_jax.models.translation import Encoder, Generator

CHANNELS = {"visible": 3, "infrared": 1}
OTHER: dict[str, str] = dict(zip(MODALITIES, MODALITIES[::-1], strict=True))
# Nearly all values of the network's input are between -RANGE and RANGE, normalised or standardised;
# they are divided by it, since generators give -1 to 1.
RANGE = 3.0


class Translated(NamedTuple):
    """What is made of a batch of pairs, by modality; images are small, of about -1 to 1.

    Attributes:
        real: images of that modality.
        latent: their latent maps.
        rebuilt: made of their latent maps.
        fake: made of the other modality's latent maps.
        latent_again: latent maps of what `real` was translated to.
        cycled: made of these, there and back.
    """

    real: dict[str, Array]
    latent: dict[str, Array]
    rebuilt: dict[str, Array]
    fake: dict[str, Array]
    latent_again: dict[str, Array]
    cycled: dict[str, Array]


class Translators(nn.Module):
    """Two autoencoders whose latent maps mean the same.

    Attributes:
        width, blocks: of encoders and generators, see `Encoder`.
        shrink: how many times smaller the translated images are than the network's input.
        dtype: of the computation.
    """

    width: int = 64
    blocks: int = 4
    shrink: int = 2
    dtype: Any = jnp.float32

    def setup(self) -> None:
        """Make an encoder and a generator for each modality."""
        sizes = self.width, self.blocks, self.dtype
        self.encoders = {name: Encoder(*sizes) for name in MODALITIES}
        self.generators = {name: Generator(CHANNELS[name], *sizes) for name in MODALITIES}

    def __call__(
        self, visible: Float[Array, "b h w 3"], infrared: Float[Array, "b h w 3"], train: bool
    ) -> Translated:
        """Translate both, there and back; in training with noise of variance 1 on latent maps."""
        images = zip(MODALITIES, (visible, infrared), strict=True)
        real = {name: self.small(each, name) for name, each in images}
        latent = {name: self.encoders[name](real[name]) for name in MODALITIES}
        noisy = self._noisy(latent, train)
        # Both uses of a generator as one: rows (own, other) are half the program to compile.
        pairs = {name: interleave(noisy[name], noisy[OTHER[name]]) for name in MODALITIES}
        made = self._decoded(pairs)
        fake = {name: images[1::2] for name, images in made.items()}
        again = {name: self.encoders[OTHER[name]](fake[OTHER[name]]) for name in MODALITIES}
        return Translated(
            real,
            latent,
            rebuilt={name: images[0::2] for name, images in made.items()},
            fake=fake,
            latent_again=again,
            cycled=self._decoded(self._noisy(again, train)),
        )

    def _decoded(self, latents):
        return {name: self.generators[name](latents[name]) for name in MODALITIES}

    def _noisy(self, latents, train):
        if not train:
            return latents
        return {
            name: maps + jax.random.normal(self.make_rng("dropout"), maps.shape, maps.dtype)
            for name, maps in latents.items()
        }

    def small(self, images: Float[Array, "n h w 3"], modality: str) -> Float[Array, "n y x c"]:
        """Return images as encoders take them; sides become multiples of 4."""
        size = [side // self.shrink // 4 * 4 for side in images.shape[1:3]]
        own = own_channels(images, modality)
        return jax.image.resize(own, (own.shape[0], *size, own.shape[3]), "linear") / RANGE

    def translate(self, images: Float[Array, "n h w 3"], modality: str) -> Float[Array, "n y x c"]:
        """Return images of one modality in the other, small and without noise."""
        latents = self.encoders[modality](self.small(images, modality))
        return self.generators[OTHER[modality]](latents)


def own_channels(images: Float[Array, "n h w 3"], modality: str) -> Float[Array, "n h w c"]:
    """Return the three channels of visible images, the mean over them of infrared ones."""
    return images if modality == "visible" else jnp.mean(images, axis=-1, keepdims=True)


def unify(
    images: Float[Array, "n h w 3"], translated: Float[Array, "n y x c"], modality: str
) -> Float[Array, "n h w 4"]:
    """Return the unified image of D2RL: visible channels, then the infrared one.

    Args:
        images: of `modality`.
        translated: the same in the other one, small, of -1 to 1.
    """
    shape = (*images.shape[:3], translated.shape[3])
    other = RANGE * jax.image.resize(translated, shape, "linear")
    pair = [own_channels(images, modality), other]
    return jnp.concatenate(pair if modality == "visible" else pair[::-1], axis=-1)
