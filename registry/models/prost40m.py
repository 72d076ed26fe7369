"""Prost40M, a prostate model from Radboud UMC."""

from ..card import Architecture, ModelCard, Pooling, Preprocessing, Pretraining, Weights

CARDS = (
    ModelCard(
        name="prost40m",
        family="prost40m",
        title="Prost40M, ViT-S/14",
        dim=384,
        params=21_619_584,
        paper="Grisi et al., arXiv 2026",
        url="https://arxiv.org/abs/2603.14187",
        licence="Apache-2.0",
        architecture=Architecture(
            builder="timm:vit_small_patch16_224",
            kwargs={"patch_size": 14, "img_size": 224, "num_classes": 0, "global_pool": ""},
        ),
        preprocessing=Preprocessing(size=224, mpp=0.5, tile_size=224, resize=224, interpolation="bicubic"),
        pooling=Pooling(kind="cls"),
        weights=Weights(
            hub="waticlems/Prost40M", file="model.safetensors", page="https://huggingface.co/waticlems/Prost40M"
        ),
        precision="float32",
        pretraining=Pretraining(
            method="DINO",
            data="40 million prostate tiles; cohorts not stated: check PANDA and TCGA-PRAD before calling a task clean",
            evidence="unknown",
        ),
        notes="Class token. Patches of 14 px, whatever the network's name in timm. ImageNet's norm is assumed.",
    ),
)
