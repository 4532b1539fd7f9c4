"""From a pooled vector to an embedding and to logits."""

from collections.abc import Callable

from flax import linen as nn
from jaxtyping import Array, Float

from dmcf_jax.methods.losses.softmax import cosine_logits
from dmcf_jax.models.batch_norm import BatchNorm

DROPPING = ("linear_bn", "fc7")  # heads with dropout
HEADS = ("reduction", "linear_bn", "hidden", "bnneck", "fc7")


class Reduction(nn.Module):
    """1x1 convolution, batch norm, ReLU on pooled vectors (eq. 7).

    Attributes:
        features: size of the reduced vector.
        neck: 'relu', or 'batch_norm' to leave out the ReLU.
        use_bias: of the convolution; False in the paper.
    """

    features: int
    neck: str = "relu"
    use_bias: bool = False

    @nn.compact
    def __call__(self, x: Float[Array, "n c"], train: bool) -> Float[Array, "n d"]:
        """Return the reduced vectors, in the dtype of `x`."""
        initialise = nn.initializers.he_normal()
        x = nn.Dense(self.features, self.use_bias, kernel_init=initialise, name="conv")(x)
        x = BatchNorm(train, x.dtype, name="bn")(x)
        return nn.relu(x) if self.neck == "relu" else x


class Neck(nn.Module):
    """Batch norm without bias, so that a linear classifier's boundaries can pass the origin."""

    @nn.compact
    def __call__(self, x: Float[Array, "n d"], train: bool) -> Float[Array, "n d"]:
        """Return the rows with mean 0 and variance 1 in each channel, times a learned scale."""
        return BatchNorm(train, x.dtype, use_bias=False, name="bn")(x)


class CosineClassifier(nn.Module):
    """Logits that are `scale` times the cosine of embedding and class weights.

    Its parameters are those of a linear layer, so that runs can start from each other's weights;
    the bias is not used.
    """

    identities: int
    scale: float
    kernel_init: Callable

    @nn.compact
    def __call__(self, x: Float[Array, "n d"]) -> Float[Array, "n k"]:
        """Return the logits."""
        kernel = self.param("kernel", self.kernel_init, (x.shape[1], self.identities))
        self.param("bias", nn.initializers.zeros, (self.identities,))
        return cosine_logits(x, kernel, self.scale)


class Head(nn.Module):
    """Embedding and logits of one pooled feature.

    Attributes:
        embedding_dim: size d of the reduced vector, None to embed the pooled values as they are.
        identities: classes k.
        neck: of the reduction.
        softmax_scale: of cosine logits; 0 for a linear classifier.
        kind: 'reduction', eq. 7; 'linear_bn', the head of the field's early baselines: a linear
            layer with bias and batch norm make the embedding, and a leaky ReLU (slope 0.1) and
            dropout stand between it and the classifier; 'hidden': the pooled values are the
            embedding, and a linear layer of size d and a ReLU are part of the classifier;
            'bnneck' (Luo et al., CVPRW 2019; AGW): losses of distances see the reduced or pooled
            values, the classifier, without bias, and the test see their batch norm without bias;
            or 'fc7', AlexNet's second linear layer: a ReLU on the pooled values, a linear layer of
            size d and a ReLU make the embedding, and dropout comes before both linear layers.
        dropout: share of values dropped there in training, in 'linear_bn' and 'fc7'.
    """

    embedding_dim: int | None
    identities: int
    neck: str = "relu"
    softmax_scale: float = 0.0
    kind: str = "reduction"
    dropout: float = 0.0

    def setup(self) -> None:
        """Make the reduction and the neck, if any, and the classifier."""
        linear, size = self.kind == "linear_bn", self.embedding_dim
        self.last_norm = Neck() if self.kind == "bnneck" else None
        neck = "batch_norm" if linear else self.neck
        self.reduction = None
        if size and self.kind in ("hidden", "fc7"):
            self.hidden = nn.Dense(size)
        elif size:
            self.reduction = Reduction(size, neck, linear)
        self.drop = nn.Dropout(self.dropout)
        # PyTorch's own variance for a linear layer, 1 / (3 fan-in). The field's much smaller 0.001
        # leaves the start to the triplet losses alone, which then pull everything to one point.
        initialise = nn.initializers.variance_scaling(1 / 3, "fan_in", "normal")
        self.classifier = (
            CosineClassifier(self.identities, self.softmax_scale, initialise)
            if self.softmax_scale
            else nn.Dense(self.identities, self.kind != "bnneck", kernel_init=initialise)
        )

    def embed(self, pooled: Float[Array, "n c"], train: bool) -> Float[Array, "n d"]:
        """Return the test's embedding, without classifying."""
        reduced = self._reduced(pooled, train)
        return self.last_norm(reduced, train) if self.last_norm else reduced

    def _reduced(self, pooled, train):
        if self.kind == "fc7":
            entry = self.drop(nn.relu(pooled), deterministic=not train)
            return nn.relu(self.hidden(entry))
        return self.reduction(pooled, train) if self.reduction else pooled

    def __call__(self, pooled: Float[Array, "n c"], train: bool):
        """Return (embedding [n d], logits [n k]); of 'bnneck', what losses of distances see."""
        embedding = self._reduced(pooled, train)
        if self.last_norm:
            return embedding, self.classifier(self.last_norm(embedding, train))
        if self.kind == "reduction":
            return embedding, self.classifier(embedding)
        if self.kind == "hidden":
            return embedding, self.classifier(nn.relu(self.hidden(embedding)))
        entry = embedding if self.kind == "fc7" else nn.leaky_relu(embedding, 0.1)
        return embedding, self.classifier(self.drop(entry, deterministic=not train))
