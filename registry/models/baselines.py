"""The baselines of every table: random weights, which have learned nothing, and colour, which is the stain alone."""

from ..card import Architecture, ModelCard, Preprocessing, Pretraining, Weights

_NONE = Pretraining(method="none", data="none", evidence="stated")

CARDS = (
    ModelCard(
        name="random_vit_s16",
        family="baseline",
        title="ViT-S/16 with seeded random weights",
        dim=384,
        params=21_665_664,
        paper="Dosovitskiy et al., ICLR 2021 (the architecture)",
        url="https://arxiv.org/abs/2010.11929",
        licence="Apache-2.0",
        architecture=Architecture(builder="timm:vit_small_patch16_224", kwargs={"num_classes": 0}),
        preprocessing=Preprocessing(size=224, mpp=None, tile_size=224, resize=224),
        weights=Weights(layout="random"),
        pretraining=_NONE,
        notes="Random projections of tissue carry signal; a model that does not beat this row learned nothing of use.",
    ),
    ModelCard(
        name="colour",
        family="baseline",
        title="Mean, deviation and histogram of each colour channel",
        dim=54,
        params=0,
        paper="none: a baseline of this harness",
        url="https://en.wikipedia.org/wiki/Color_histogram",
        licence="Apache-2.0",
        architecture=Architecture(builder="registry.architectures.colour:colour"),
        preprocessing=Preprocessing(
            size=224, mpp=None, tile_size=224, resize=None, crop=False, mean=(0, 0, 0), std=(1, 1, 1), multiple_of=1
        ),
        weights=Weights(layout="none"),
        precision="float32",
        pretraining=_NONE,
        notes="3 means, 3 standard deviations and 3 histograms of 16 bins; takes tiles of any size as they are.",
    ),
)
