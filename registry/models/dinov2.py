"""DINOv2, self-supervised on natural images: what size and method give without pathology."""

from ..card import Architecture, ModelCard, Preprocessing, Pretraining, Weights


def _card(*, size: str, dim: int, params: int, revision: str | None = None, sha256: str | None = None) -> ModelCard:
    letter = size[0]
    timm_name = f"vit_{size}_patch14_dinov2"
    repository = f"timm/{timm_name}.lvd142m"
    return ModelCard(
        name=f"dinov2_vit{letter}14",
        family="dinov2",
        title=f"DINOv2 ViT-{letter.upper()}/14",
        dim=dim,
        params=params,
        paper="Oquab et al., TMLR 2024",
        url="https://arxiv.org/abs/2304.07193",
        licence="Apache-2.0",
        architecture=Architecture(builder=f"timm:{timm_name}", kwargs={"img_size": 224, "num_classes": 0}),
        preprocessing=Preprocessing(size=224, mpp=None, tile_size=224, resize=224, interpolation="bicubic"),
        weights=Weights(
            hub=repository,
            file="model.safetensors",
            revision=revision,
            sha256=sha256,
            page=f"https://huggingface.co/{repository}",
            layout="timm_518_to_224",
        ),
        pretraining=Pretraining(method="DINOv2", data="LVD-142M, natural images", evidence="stated"),
        notes=(
            "Class token. Trained at 518 px; fed 224 px as in the authors' evaluation, the positions resampled once at "
            "load by timm's rule (bicubic, antialiased)."
        ),
    )


CARDS = (
    _card(size="small", dim=384, params=21_628_800),
    _card(size="base", dim=768, params=85_724_928),
    _card(
        size="large",
        dim=1024,
        params=303_227_904,
        revision="4741e1cafbf45415e77074bb0cb42dba76c8684a",
        sha256="0424a5d1b515278cba3c6640ccbeaacc41de59d3a93df0dd5e494285eea2b355",
    ),
)
