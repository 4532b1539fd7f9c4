"""Every field of a run with its meaning; the other configs state only what differs from it.

"paper" marks a value that the paper gives, "open point" one that the paper leaves open and
docs/decisions.md decides. Fields are overridden as `--config.loss.margin=0.3`.
"""

from collections.abc import Mapping
from types import MappingProxyType

from ml_collections import ConfigDict, config_dict

from dmcf_jax.configs._rows import COMPARED, MATCHERS, VARIANTS, WARM_UP

__all__ = ["COMPARED", "MATCHERS", "VARIANTS", "apply_variant", "get_config"]


def apply_variant(
    config: ConfigDict, variant: str, steps: Mapping[str, int] = MappingProxyType({})
) -> ConfigDict:
    """Change `config` to the row named `variant`; '' is the complete method.

    Args:
        steps: training steps by row, where they differ from the config's.
    """
    if variant and variant not in VARIANTS:
        raise ValueError(f"unknown variant {variant!r}, expected one of {', '.join(VARIANTS)}")
    config.variant = variant
    config.update_from_flattened_dict(VARIANTS.get(variant, {}))
    config.train.steps = steps.get(variant, config.train.steps)
    if variant in WARM_UP:
        config.optim.warmup_steps = round(WARM_UP[variant] * config.train.steps)
    return config


def get_config(variant: str = "") -> ConfigDict:
    """Return the paper's method, with the choice of docs/decisions.md at each open point."""
    config = ConfigDict()
    config.variant = ""  # name of the ablation, for reports
    config.seed = 0  # of weights, sampling and augmentation
    config.dtype = "float32"  # of activations: float32 or bfloat16; parameters stay float32
    # Workdir, export or hf://owner/name of dmcf_jax to start from; "" for none.
    config.init_from = ""

    config.method = ConfigDict()
    config.method.name = "dmcf"  # of dmcf_jax.methods.METHODS; each reads its own fields below

    config.data = data = ConfigDict()
    data.name = "regdb"  # regdb, sysu_mm01, llcm or own
    data.data_dir = "data"  # folder of the records that dmcf prepare_data built
    data.cache_dir = ""  # of decoded images; "" for <data_dir>/cache
    data.trial = 1  # split of RegDB, 1..10; other data sets have one
    data.train_splits = ("train",)  # splits trained on
    data.size = (288, 144)  # height, width of the network's input; paper
    data.filter = "lanczos"  # resizing filter: lanczos, bicubic or bilinear
    data.pad = 10  # pixels around an image before the random crop; open point
    data.pad_mode = "black"  # what they are: 'black', or 'edge', the outermost pixel; open point
    data.flip = 0.5  # probability of a mirrored training image; open point
    # Augmentation that is not in the paper; 0 leaves it out. docs/decisions.md has the reasons.

    data.channel_exchange = 0.0  # probability: one of R, G, B for all three, visible; Ye 2021 (CAJ)
    data.random_grey = 0.0  # probability of grey visible images; Ye 2021 (CAJ)
    data.tone = 0.0  # deviation of the logarithm of a random gamma; our choice
    data.contrast = 0.0  # deviation of the logarithm of a random contrast; our choice
    data.invert = 0.0  # probability of a negative; our choice
    data.erase = 0.0  # probability of a hidden rectangle; Zhong 2020
    data.erase_area = (0.02, 0.4)  # its share of the image, least and greatest; Zhong 2020
    data.erase_fill = "mean"  # its colour: ImageNet's 'mean' (Ye 2021), or one random 'grey'
    # Views of each visible image in a batch: 'one'; or CAJ's 'channels' (Ye 2021), which adds one
    # with R, G or B for all three and changes infrared channels, both after erasing.
    data.views = "one"
    data.input = "rgb"  # 'rgb', or 'grey': luma in all channels, wherever the model is used; ours
    data.standardise = False  # mean 0, deviation 1 of each image instead of ImageNet's; our choice
    # Values of pictures of more than 8 bits that become 0..255: the 'full' 16 bits, those of each
    # 'file', or those of the 'data_set'; our choice.
    data.wide_range = "full"
    data.placement = "auto"  # memory that holds training images: device, host or auto (by size)

    config.sampler = sampler = ConfigDict()
    sampler.P = 8  # identities in a batch; open point
    sampler.K = 4  # images of each identity in each modality; open point

    config.model = model = ConfigDict()
    # Of both streams: 'resnet', or 'alexnet', which reads width alone of the next three; BDTR.
    model.backbone = "resnet"
    model.stage_sizes = (3, 4, 6, 3)  # blocks in layer1..layer4 (ResNet-50); paper
    model.width = 64  # channels of the stem; paper
    model.last_stride = 2  # stride of layer4, 1 or 2; open point
    # First stage that both modalities share: none, layer4, layer3, layer2, layer1 or stem.
    model.shared_from = config_dict.placeholder(str)  # None: two complete streams; open point
    model.levels = ("layer2", "layer3", "layer4")  # stages whose outputs are B1, B2, B3; paper
    model.stripes = (1, 2, 3)  # horizontal stripes of each level; paper
    model.reduce_global = True  # also reduce G1..G3 to embedding_dim; open point
    model.embedding_dim = 256  # size of a reduced feature; paper
    model.neck = "relu"  # after a reduction's batch norm: 'relu', or 'batch_norm' for nothing; MGN
    # What makes a feature's embedding: 'reduction' (eq. 7, paper); 'linear_bn': linear layer and
    # batch norm, with a leaky ReLU before the classifier (Ye 2019); 'hidden': pooled values, with a
    # layer before the classifier (ports of cmGAN); 'bnneck': losses of distances before a batch
    # norm, classifier and test behind it (Luo 2019); or 'fc7', AlexNet's next linear layer (BDTR).
    model.head = "reduction"
    model.dropout = 0.0  # share of values dropped before linear layers of 'linear_bn' and 'fc7'
    # From a map to a vector: 'max' (paper), 'average', 'gem' (Ye 2021, AGW); or 'fc6', AlexNet's
    # first linear layer, private where layer4 is, and batch norm (BDTR).
    model.pool = "max"
    model.gem_p = 3.0  # power of 'gem'; Ye 2021
    # Channels of the first layer: 'three'; or 'zero_padding', a grey and an empty one (Wu 2017).
    model.input = "three"
    # ImageNet weights of the backbone, a file or hf://owner/name; "synthetic": the small weights in
    # the package, which need the fields of configs/synthetic.py; "" starts at random.
    model.pretrained = ""
    # Last scale of each block where streams start at random: 0, its 'shortcut' (Goyal 2017); or 1,
    # 'full', as in PyTorch, where the features of a few images soon drown all others.
    model.block_start = "shortcut"
    # Columns of the classifiers: 'random', or 'means' of what pretrained streams and reductions see
    # of each person; for loss.softmax_scale above 0; ours.
    model.classifier_start = "random"
    model.remat = False  # recompute blocks in the backward pass: slower, less memory
    # Blocks of layer1..layer4, from the last and at most all, that a non-local block follows, which
    # mixes all positions; Wang 2018, (0, 2, 3, 0) in AGW.
    model.non_local = (0, 0, 0, 0)

    config.loss = ConfigDict()
    config.loss.margin = 1.8  # of the triplet losses L1, L3, L7; paper
    # Step from which the triplet losses count. None: 0, as in the paper, which starts from ImageNet
    # weights; where streams start at random 60 % of the run, since batch-hard mining then pulls
    # everything to one point until people can be told apart; open point.
    config.loss.triplet_start_step = config_dict.placeholder(int)

    # Kind of L1, L3, L7: batch_hard (paper); soft_margin (Hermans 2017); weighted (Ye 2021, AGW);
    # squared_difference (Ye 2021, CAJ); centre_triplet, of each person's mean (Liu 2021, HcTri);
    # centre, the squared distance of a person's two means (Zhu 2020, weight 0.5, K = 8);
    # contrastive, visible against infrared rows (Radford 2021, with several positives);
    # supervised_contrastive, all rows (Khosla 2020); or none.
    config.loss.kind = "batch_hard"
    config.loss.triplet_weight = 1.0  # factor of L1, L3, L7; paper
    config.loss.temperature = 0.1  # of the contrastive losses; Khosla 2020
    # Cosine logits times this scale (Wang 2017, NormFace); 0 for a linear classifier: paper.
    config.loss.softmax_scale = 0.0
    config.loss.label_smoothing = 0.0  # of the softmax losses; Szegedy 2016, 0.1 in the field
    config.loss.intra_margin = 0.1  # of BDTR within a modality; authors' code
    config.loss.intra_weight = 0.1  # of that loss; authors' code
    config.loss.contrastive_weight = 0.2  # of TONE's loss of pairs; authors' code
    # Rows whose length 1 TONE's loss takes: of each 'feature', or of each column over the 'batch'
    # (authors' code, most likely an oversight).
    config.loss.normalise = "feature"
    config.loss.reversal = 0.05  # factor on cmGAN's reversed gradient; public ports
    # Other rows of cmGAN's triplets: the 'hard' ones, farthest and nearest, or 'random' ones, which
    # are the next image and the next person of the batch; open point.
    config.loss.mining = "hard"

    config.mtl = ConfigDict()
    config.mtl.enabled = True  # learn the level weights sigma (eq. 15); paper
    # Step at which the learned weighting starts; None: 60% of train.steps; open point.
    config.mtl.start_step = config_dict.placeholder(int)

    config.optim = optim = ConfigDict()
    optim.name = "adam"  # or sgd; paper
    optim.lr_backbone = 0.001  # Adam's rate for both streams; paper
    optim.lr_heads = 0.01  # for reductions and classifiers; paper
    # Factor on both where the streams start at random; docs/decisions.md; ours.
    optim.random_start_factor = 1.0
    optim.lr_log_variance = 0.01  # for log sigma^2; paper
    optim.lr_discriminator = 0.001  # for cmGAN's discriminator; public ports
    optim.lr_translator = 1e-4  # for D2RL's encoders and generators; authors' code of UNIT
    optim.beta1 = 0.9  # Adam's first momentum; paper
    optim.momentum = 0.9  # of SGD
    optim.nesterov = False  # whether SGD looks ahead
    optim.weight_decay = 0.0  # L2 on streams and heads; open point
    optim.warmup_steps = 0  # linear warm-up of all rates; open point
    optim.schedule = "steps"  # after the warm-up: 'steps' of decay_at, or 'cosine' to zero
    optim.decay_at = ()  # fractions of the run at which all rates drop; open point
    optim.decay_factor = 0.1  # what they are multiplied by

    config.ema = ConfigDict()
    # Share d of the past in average <- d average + (1 - d) weights and statistics, every step from
    # the start; the average is then what is evaluated and exported. 0: the weights themselves.
    config.ema.decay = 0.0  # 0.997 in Fu 2021 (CM-NAS)

    # How D2RL translates images to the other modality. UNIT is Liu 2017, its values from its code.
    config.translation = translation = ConfigDict()
    translation.width = 64  # channels of the first layers, also of discriminators; UNIT
    translation.blocks = 4  # residual blocks of each encoder and generator; UNIT
    translation.shrink = 2  # data.size by the size of translated images; ours
    translation.gan_weight = 1.0  # of generators against discriminators, and back; UNIT
    translation.reconstruction_weight = 10.0  # of images made of their own latent maps; UNIT
    translation.cycle_weight = 10.0  # of images translated there and back; UNIT
    translation.latent_weight = 0.01  # of the size of latent maps, both times; UNIT
    translation.alone = 0.4  # share of the run in which the streams do not learn yet; ours
    translation.joint_factor = 0.1  # on the rates of translation after that; ours

    # What HCML, MLAPG and XQDA fit after the last step.
    config.fit = ConfigDict()
    config.fit.pca = 600  # most principal components of the features; authors' code
    config.fit.iterations = 300  # at most; authors' code
    config.fit.tolerance = 1e-4  # relative change of the objective that ends it; authors' code
    config.fit.pairs = "images"  # or "means" of each person, which is faster: MLAPG; ours

    config.train = train = ConfigDict()
    train.steps = 5000  # optimisation steps
    train.checkpoint_every = 500  # steps between checkpoints; the last step is always kept
    train.log_every = 50  # steps between lines of metrics.jsonl
    train.skip_non_finite = 0  # non-finite steps to skip before stopping; 0 stops at the first
    train.eval_every = 0  # steps between evaluations on held-out identities; 0 for none
    train.eval_on = "held_out"  # identities that eval_every evaluates; "test" selects on test data
    train.held_out = 0.1  # share of RegDB's or LLCM's training identities held out for eval_every
    train.keep_best = ""  # also keep the checkpoint with the best 'mAP' or 'rank-1'; "" for none

    # People of the training data whose rank-1 is reported at the end, and as many held-out ones
    # where there are any; 0 for none.
    train.summary_people = 100
    train.tracker = ""  # beside TensorBoard: "wandb" or "mlflow", each an extra of that name

    config.evaluation = evaluation = ConfigDict()
    evaluation.batch_size = 64  # images embedded at once
    evaluation.flip = False  # average the embeddings of an image and its mirror image

    return apply_variant(config, variant)
