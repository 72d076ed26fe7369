"""Midnight-12k, from Kaiko.ai."""

from ..card import HALF, Architecture, Cohort, ModelCard, Pooling, Preprocessing, Pretraining, Weights

CARDS = (
    ModelCard(
        name="midnight",
        family="kaiko",
        title="Midnight-12k, ViT-g/14",
        dim=3072,
        params=1_134_769_664,
        paper="Karasikov et al., MICCAI 2025",
        url="https://arxiv.org/abs/2504.05186",
        licence="MIT",
        architecture=Architecture(
            builder="timm:vit_giant_patch14_dinov2", kwargs={"img_size": 224, "num_classes": 0, "global_pool": ""}
        ),
        preprocessing=Preprocessing(
            size=224, mpp=0.5, tile_size=224, resize=224, interpolation="bilinear", mean=HALF, std=HALF
        ),
        pooling=Pooling(kind="cls+mean", patch_start=1),
        weights=Weights(
            hub="kaiko-ai/midnight",
            file="model.safetensors",
            revision="adc6b15679c981cce6f9b018bbad09d16eeeda9f",
            page="https://huggingface.co/kaiko-ai/midnight",
            sha256="52c14f20386ca17c2af8a7bf32c31c352668a8fbf6aefc88d86be6eaa0c72ca1",
            layout="midnight",
        ),
        precision="float16",
        pretraining=Pretraining(
            method="DINOv2 with variations",
            data="12,000 FFPE slides of TCGA at 2, 1, 0.5 and 0.25 mpp",
            cohorts=(Cohort(name="TCGA", evidence="stated"),),
            evidence="stated",
        ),
        options={"pooling": {"cls+mean": {}, "cls": {"pooling": Pooling(kind="cls", patch_start=1), "dim": 1536}}},
        notes=(
            "Class token ++ mean of the patch tokens, the authors' choice for classification; pooling=cls is TRIDENT's "
            "default. The file holds positions of 518 px, resampled once at load by the rule of transformers."
        ),
    ),
)
