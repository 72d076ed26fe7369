"""Hibou, from HistAI."""

from ..card import Architecture, ModelCard, Pooling, Preprocessing, Pretraining, Weights


def _card(
    *, size: str, dim: int, params: int, mlp_ratio: float, repository: str, revision: str, sha256: str, tiles: str
) -> ModelCard:
    letter = size[0]
    return ModelCard(
        name=f"hibou_{letter}",
        family="hibou",
        title=f"Hibou-{letter.upper()}, ViT-{letter.upper()}/14 with 4 registers",
        dim=dim,
        params=params,
        paper="Nechaev et al., arXiv 2024",
        url="https://arxiv.org/abs/2406.05074",
        licence="Apache-2.0",
        architecture=Architecture(
            builder=f"timm:vit_{size}_patch14_reg4_dinov2",
            kwargs={
                "img_size": 224,
                "init_values": 1.0,
                "num_classes": 0,
                "global_pool": "",
                "mlp_layer": "SwiGLUPacked",
                "act_layer": "SiLU",
                "mlp_ratio": mlp_ratio,
            },
        ),
        preprocessing=Preprocessing(
            size=224,
            mpp=0.5,
            tile_size=224,
            resize=224,
            interpolation="bicubic",
            mean=(0.7068, 0.5755, 0.722),
            std=(0.195, 0.2316, 0.1816),
        ),
        pooling=Pooling(kind="cls", patch_start=5),
        weights=Weights(
            hub=repository,
            file="model.safetensors",
            revision=revision,
            page=f"https://huggingface.co/{repository}",
            gated=True,
            sha256=sha256,
            layout="hibou",
        ),
        precision="float32",
        pretraining=Pretraining(
            method="DINOv2",
            data=f"{tiles} tiles of over 1 million proprietary slides (936,441 H&E, 202,464 other)",
            evidence="inferred",
        ),
        notes=(
            "Class token (the pooler_output of the authors' code). Neither card nor paper states a resolution; 0.5 "
            "mpp is the field's custom. The file is read without the repository's remote code."
        ),
    )


CARDS = (
    _card(
        size="base",
        dim=768,
        params=85_739_520,
        mlp_ratio=5.333334,
        repository="histai/hibou-b",
        revision="7fdc8cce365ebfd9e7e60ee6ee9a8d4d59388f3c",
        sha256="2121db3cac83bc9abf13a458a37b0740e2ce725609ff8d4b8e6b6c56c30c3ab6",
        tiles="512 million",
    ),
    _card(
        size="large",
        dim=1024,
        params=303_657_216,
        mlp_ratio=5.34375,
        repository="histai/hibou-L",
        revision="31a3b9fee16554c8552cb643d311733bce8faf7c",
        sha256="a63d1699448143ceccf2b7e1c4bf35b995c51f86ef8a6efb471af2eee210b79c",
        tiles="1.2 billion",
    ),
)
