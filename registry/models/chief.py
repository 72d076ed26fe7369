"""CHIEF's slide encoder."""

from ..card import Architecture, Cohort, ModelCard, Preprocessing, Pretraining, Weights

CARDS = (
    ModelCard(
        name="chief",
        family="chief",
        title="CHIEF slide aggregator, gated attention",
        unit="slide",
        dim=768,
        params=656_641,
        paper="Wang et al., Nature 2024",
        url="https://doi.org/10.1038/s41586-024-07894-z",
        licence="AGPL-3.0, non-commercial academic use by the authors' statement",
        architecture=Architecture(builder="registry.architectures.chief:Chief"),
        preprocessing=Preprocessing(size=256, mpp=1.0, tile_size=256, resize=None, crop=False),
        weights=Weights(
            file="CHIEF_pretraining.pth",
            page="https://github.com/hms-dbmi/CHIEF",
            sha256="6a46d200b32a65e5ce4774611b889b5f1bbf7a39f9111321a2a1b5dbdb9996b8",
            layout="registry.architectures.chief:layout",
        ),
        precision="float32",
        pretraining=Pretraining(
            method="weakly supervised by the organ, contrastive with its name",
            data="60,530 slides of 19 organs, TCGA among them; the other public sets are not checked here",
            cohorts=(Cohort(name="TCGA", evidence="stated"),),
            evidence="stated",
        ),
        tile_encoder="chief_ctranspath",
        notes=(
            "Attention-weighted mean of the input features (the authors' WSI_feature), which the organ does not "
            "change. Of the file only the attention is loaded."
        ),
    ),
)
