"""Virchow and Virchow2, from Paige and Microsoft."""

from ..card import Architecture, ModelCard, Pooling, Preprocessing, Pretraining, Weights

_VIT_H = {
    "img_size": 224,
    "init_values": 1e-5,
    "num_classes": 0,
    "mlp_ratio": 5.3375,
    "global_pool": "",
    "mlp_layer": "SwiGLUPacked",
    "act_layer": "SiLU",
    "dynamic_img_size": True,
}
_PREPROCESSING = Preprocessing(size=224, mpp=0.5, tile_size=224, resize=224, interpolation="bicubic")

CARDS = (
    ModelCard(
        name="virchow",
        family="virchow",
        title="Virchow, ViT-H/14",
        dim=2560,
        params=631_229_184,
        paper="Vorontsov et al., Nature Medicine 2024",
        url="https://doi.org/10.1038/s41591-024-03141-0",
        licence="Apache-2.0",
        architecture=Architecture(builder="timm:vit_huge_patch14_224", kwargs=_VIT_H),
        preprocessing=_PREPROCESSING,
        pooling=Pooling(kind="cls+mean", patch_start=1),
        weights=Weights(
            hub="paige-ai/Virchow",
            file="model.safetensors",
            revision="19eebc84ae33e79f1b2d866e6ff90ae50e522f9a",
            page="https://huggingface.co/paige-ai/Virchow",
            gated=True,
            sha256="3416891b37a2349a2d9ce7ecf00b64a6277011b41351436c1ceb0abb80805408",
        ),
        precision="float16",
        pretraining=Pretraining(
            method="DINOv2",
            data=(
                "1.488 million slides of Memorial Sloan Kettering; no TCGA. Its slides may stand in other "
                "collections too"
            ),
            evidence="stated",
        ),
        options={"pooling": {"cls+mean": {}, "cls": {"pooling": Pooling(kind="cls", patch_start=1), "dim": 1280}}},
        notes="Class token ++ mean of the patch tokens.",
    ),
    ModelCard(
        name="virchow2",
        family="virchow",
        title="Virchow2, ViT-H/14 with 4 registers",
        dim=2560,
        params=631_239_424,
        paper="Zimmermann et al., arXiv 2024",
        url="https://arxiv.org/abs/2408.00738",
        licence="CC-BY-NC-ND-4.0",
        architecture=Architecture(builder="timm:vit_huge_patch14_224", kwargs={**_VIT_H, "reg_tokens": 4}),
        preprocessing=_PREPROCESSING,
        pooling=Pooling(kind="cls+mean", patch_start=5),
        weights=Weights(
            hub="paige-ai/Virchow2",
            file="model.safetensors",
            revision="3158645804b69e3f3bc4439d4116edddf0840a72",
            page="https://huggingface.co/paige-ai/Virchow2",
            gated=True,
            sha256="8d6cea947eb2418c3b0dff48cfb9b238e47744ab0dfca21b2b0637b140769b4b",
        ),
        precision="float16",
        pretraining=Pretraining(
            method="DINOv2",
            data=(
                "1.7 billion tiles at 2, 1, 0.5 and 0.25 mpp of 3.1 million slides of Memorial Sloan Kettering and "
                "sites abroad; overlap with tasks made of that hospital's slides cannot be ruled out"
            ),
            evidence="unknown",
        ),
        options={"pooling": {"cls+mean": {}, "cls": {"pooling": Pooling(kind="cls", patch_start=5), "dim": 1280}}},
        notes="Class token ++ mean of the patch tokens, which start after the 4 registers.",
    ),
)
