"""UNI, from the Mahmood Lab."""

from ..card import Architecture, Cohort, ModelCard, Preprocessing, Pretraining, Weights

CARDS = (
    ModelCard(
        name="uni",
        family="uni",
        title="UNI, ViT-L/16",
        dim=1024,
        params=303_350_784,
        paper="Chen et al., Nature Medicine 2024",
        url="https://doi.org/10.1038/s41591-024-02857-3",
        licence="CC-BY-NC-ND-4.0",
        architecture=Architecture(
            builder="timm:vit_large_patch16_224",
            kwargs={
                "img_size": 224,
                "patch_size": 16,
                "init_values": 1e-5,
                "num_classes": 0,
                "dynamic_img_size": True,
            },
        ),
        preprocessing=Preprocessing(size=224, mpp=0.5, tile_size=256, resize=224, interpolation="bilinear"),
        weights=Weights(
            hub="MahmoodLab/UNI",
            file="pytorch_model.bin",
            revision="b55a5ec6cade1a39edfe6534189a9b8ca7a022f0",
            page="https://huggingface.co/MahmoodLab/UNI",
            gated=True,
            sha256="56ef09b44a25dc5c7eedc55551b3d47bcd17659a7a33837cf9abc9ec4e2ffb40",
        ),
        precision="float16",
        pretraining=Pretraining(
            method="DINOv2",
            data="Mass-100K: 100 million tiles of 100,426 slides; no TCGA, CPTAC, PAIP, CAMELYON, PANDA by statement",
            cohorts=(Cohort(name="GTEx", evidence="stated"),),
            evidence="stated",
        ),
        notes="Class token. Tiles of 256 px at 20x go to 224 px.",
    ),
)
