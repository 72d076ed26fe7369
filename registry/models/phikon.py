"""Phikon and Phikon-v2, from Owkin."""

from ..card import Architecture, Cohort, ModelCard, Pooling, Preprocessing, Pretraining, Weights

_LICENCE = "Owkin non-commercial"

CARDS = (
    ModelCard(
        name="phikon",
        family="phikon",
        title="Phikon, ViT-B/16",
        dim=768,
        params=85_798_656,
        paper="Filiot et al., medRxiv 2023",
        url="https://doi.org/10.1101/2023.07.21.23292757",
        licence=_LICENCE,
        architecture=Architecture(
            builder="timm:vit_base_patch16_224",
            kwargs={"num_classes": 0, "global_pool": "", "norm_layer": {"layer": "LayerNorm", "eps": 1e-12}},
        ),
        preprocessing=Preprocessing(
            size=224, mpp=0.5, tile_size=224, resize=(224, 224), interpolation="bilinear", crop=False
        ),
        pooling=Pooling(kind="cls"),
        weights=Weights(
            hub="owkin/phikon",
            file="model.safetensors",
            revision="057cc0295895c2df3dd7681a89680da6015cbefe",
            page="https://huggingface.co/owkin/phikon",
            sha256="d01642bfeb683c6b039622eca273e0a8e4208065a4595b63edba178c1c4cfa68",
            layout="phikon",
        ),
        precision="float32",
        pretraining=Pretraining(
            method="iBOT",
            data="PanCancer40M: 43,374,634 tiles of 6,093 slides of TCGA, the list of slides public",
            cohorts=(Cohort(name="TCGA", evidence="stated"),),
            evidence="stated",
        ),
        notes="Class token. LayerNorm with eps 1e-12, the default of transformers' ViT.",
    ),
    ModelCard(
        name="phikon_v2",
        family="phikon",
        title="Phikon-v2, ViT-L/16",
        dim=1024,
        params=303_350_784,
        paper="Filiot et al., arXiv 2024",
        url="https://arxiv.org/abs/2409.09173",
        licence=_LICENCE,
        architecture=Architecture(
            builder="timm:vit_large_patch16_224", kwargs={"num_classes": 0, "global_pool": "", "init_values": 1.0}
        ),
        preprocessing=Preprocessing(size=224, mpp=0.5, tile_size=224, resize=224, interpolation="bicubic"),
        pooling=Pooling(kind="cls"),
        weights=Weights(
            hub="owkin/phikon-v2",
            file="model.safetensors",
            revision="2ae989a9c40cffaa27f0a6cb29cc94d1d6f9a5fd",
            page="https://huggingface.co/owkin/phikon-v2",
            sha256="261ae680fa699b3b951597fd57aa19c02ef735805acb104b93af69b36d928569",
            layout="transformers",
        ),
        precision="float32",
        pretraining=Pretraining(
            method="DINOv2",
            data=(
                "PANCAN-XL: 450 million tiles of about 58,000 public slides: TCGA 29,502, CPTAC 6,193, GTEx 13,302,"
                " others of TCIA"
            ),
            cohorts=(
                Cohort(name="TCGA", evidence="stated"),
                Cohort(name="CPTAC", evidence="stated"),
                Cohort(name="GTEx", evidence="stated"),
                Cohort(name="TCIA", evidence="stated"),
            ),
            evidence="stated",
        ),
        notes="Class token. Further public sets in the training data must be checked one by one.",
    ),
)
