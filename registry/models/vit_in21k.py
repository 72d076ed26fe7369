"""ViTs trained with labels on ImageNet-21k: the supervised baseline of the same shape."""

from ..card import HALF, Architecture, ModelCard, Pooling, Preprocessing, Pretraining, Weights


def _card(*, size: str, dim: int, params: int) -> ModelCard:
    letter = size[0]
    repository = f"timm/vit_{size}_patch16_224.augreg_in21k"
    return ModelCard(
        name=f"vit_{letter}16_in21k",
        family="vit",
        title=f"ViT-{letter.upper()}/16, ImageNet-21k",
        dim=dim,
        params=params,
        paper="Steiner et al., TMLR 2022",
        url="https://arxiv.org/abs/2106.10270",
        licence="Apache-2.0",
        architecture=Architecture(builder=f"timm:vit_{size}_patch16_224", kwargs={"num_classes": 0, "global_pool": ""}),
        preprocessing=Preprocessing(
            size=224, mpp=None, tile_size=248, resize=248, interpolation="bicubic", mean=HALF, std=HALF
        ),
        pooling=Pooling(kind="cls"),
        weights=Weights(
            hub=repository,
            file="model.safetensors",
            page=f"https://huggingface.co/{repository}",
            layout="timm_classifier",
        ),
        pretraining=Pretraining(method="supervised", data="ImageNet-21k, natural images", evidence="stated"),
        notes="Class token. timm's recipe: resize to 248 px, crop 224 px.",
    )


CARDS = (
    _card(size="base", dim=768, params=85_798_656),
    _card(size="large", dim=1024, params=303_301_632),
)
