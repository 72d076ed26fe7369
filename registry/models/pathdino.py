"""PathDino, from KIMIA Lab at Mayo Clinic."""

from ..card import Architecture, Cohort, ModelCard, Pooling, Preprocessing, Pretraining, Weights

CARDS = (
    ModelCard(
        name="pathdino",
        family="pathdino",
        title="PathDino-512, a ViT-S/16 of 5 blocks",
        dim=384,
        params=9_562_368,
        paper="Alfasly et al., CVPR 2024",
        url="https://arxiv.org/abs/2311.08359",
        licence="research use only",
        architecture=Architecture(
            builder="timm:vit_small_patch16_224",
            kwargs={"depth": 5, "img_size": 512, "num_classes": 0, "global_pool": ""},
        ),
        preprocessing=Preprocessing(size=512, mpp=0.5, tile_size=512, resize=512, interpolation="bilinear"),
        pooling=Pooling(kind="cls"),
        weights=Weights(
            file="PathDino512.pth", page="https://huggingface.co/spaces/Saghir/PathDino", layout="prefix_backbone"
        ),
        precision="float32",
        pretraining=Pretraining(
            method="DINO with HistoRotate",
            data="6,087,558 tiles at 20x of 11,765 diagnostic slides of TCGA",
            cohorts=(Cohort(name="TCGA", evidence="stated"),),
            evidence="stated",
        ),
        notes="Class token.",
    ),
)
