"""GPFM, from the HKUST Smart Lab."""

from ..card import Architecture, Cohort, ModelCard, Pooling, Preprocessing, Pretraining, Weights

CARDS = (
    ModelCard(
        name="gpfm",
        family="gpfm",
        title="GPFM, ViT-L/14",
        dim=1024,
        params=303_227_904,
        paper="Ma et al., Nature Biomedical Engineering 2025",
        url="https://doi.org/10.1038/s41551-025-01488-4",
        licence="CC-BY-NC-ND-4.0 in the repository, MIT on the hub: the stricter is taken",
        architecture=Architecture(
            builder="timm:vit_large_patch14_dinov2",
            kwargs={"img_size": 224, "init_values": 1e-5, "num_classes": 0, "global_pool": ""},
        ),
        preprocessing=Preprocessing(
            size=224, mpp=0.25, tile_size=512, resize=(224, 224), interpolation="bicubic", crop=False
        ),
        pooling=Pooling(kind="cls"),
        weights=Weights(
            hub="majiabo/GPFM",
            file="GPFM.pth",
            revision="c2e0c6c7cea4d7ae67151c3375d780712f82254e",
            page="https://huggingface.co/majiabo/GPFM",
            sha256="ebde1a9d7d9098848034bcff30f8771034c8d0b69e32846fa266940f2fd4604c",
            layout="dinov2",
        ),
        precision="float16",
        pretraining=Pretraining(
            method="DINOv2, distilled from UNI, CONCH and Phikon",
            data=(
                "190 million tiles of 72,280 slides of 33 public datasets, whose list is in the paper; TCGA is stated "
                "by the authors (issue 14 of their repository)"
            ),
            cohorts=(
                Cohort(name="TCGA", evidence="stated"),
                Cohort(name="CPTAC", evidence="inferred"),
                Cohort(name="PANDA", evidence="inferred"),
                Cohort(name="CAMELYON", evidence="inferred"),
            ),
            evidence="inferred",
        ),
        notes=(
            "Class token. The authors cut 512 px at 40x. The file of the GitHub release (a DINOv2 dump of another "
            "hash) loads too."
        ),
    ),
)
