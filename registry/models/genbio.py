"""GenBio-PathFM, from GenBio AI."""

from ..card import Architecture, Cohort, ModelCard, Preprocessing, Pretraining, Weights

CARDS = (
    ModelCard(
        name="genbio_pathfm",
        family="genbio",
        title="GenBio-PathFM, ViT-g/16 on single channels",
        dim=4608,
        params=1_133_686_784,
        paper="Kapse et al., bioRxiv 2026",
        url="https://www.biorxiv.org/content/10.64898/2026.03.17.712534v1",
        licence="GenBio AI Community Licence",
        architecture=Architecture(builder="registry.architectures.genbio:GenBioPathFM"),
        preprocessing=Preprocessing(
            size=224,
            mpp=0.5,
            tile_size=224,
            resize=(224, 224),
            interpolation="bilinear",
            crop=False,
            mean=(0.697, 0.575, 0.728),
            std=(0.188, 0.240, 0.187),
        ),
        weights=Weights(
            hub="genbio-ai/genbio-pathfm", file="model.pth", page="https://huggingface.co/genbio-ai/genbio-pathfm"
        ),
        precision="bfloat16",
        pretraining=Pretraining(
            method="JEDI (JEPA, then DINO)",
            data=(
                "177,000 slides, public data only; the list of cohorts could not be read, so the large ones are assumed"
            ),
            cohorts=(
                Cohort(name="TCGA", evidence="inferred"),
                Cohort(name="CPTAC", evidence="inferred"),
                Cohort(name="GTEx", evidence="inferred"),
            ),
            evidence="inferred",
        ),
        notes=(
            "Class tokens of R, G and B, one after the other: three passes a tile. Queries and keys are turned in "
            "bfloat16, as the authors' code does also where all else is float32."
        ),
    ),
)
