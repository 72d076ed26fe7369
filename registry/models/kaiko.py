"""Kaiko.ai's first family of models."""

from functools import partial

from ..card import HALF, Architecture, Cohort, ModelCard, Pooling, Preprocessing, Pretraining, Weights

_PAGE = "https://github.com/kaiko-ai/towards_large_pathology_fms"
_MIRROR = "1aurent/vit_{}_224.kaiko_ai_towards_large_pathology_fms"
_KWARGS = {"num_classes": 0, "global_pool": "", "dynamic_img_size": True}

_card = partial(
    ModelCard,
    family="kaiko",
    paper="Aben et al., arXiv 2024",
    url="https://arxiv.org/abs/2404.15217",
    licence="Kaiko non-commercial",
    preprocessing=Preprocessing(
        size=224, mpp=0.5, tile_size=224, resize=224, interpolation="bilinear", mean=HALF, std=HALF
    ),
    precision="float32",
)


def _pretraining(method: str) -> Pretraining:
    return Pretraining(
        method=method,
        data="about 29,000 slides of TCGA, FFPE and frozen, at several magnifications",
        cohorts=(Cohort(name="TCGA", evidence="stated"),),
        evidence="stated",
    )


def _vit(*, size: str, patch: int, dim: int, params: int) -> ModelCard:
    letter = size[0]
    return _card(
        name=f"kaiko_vit{letter}{patch}",
        title=f"Kaiko DINO ViT-{letter.upper()}/{patch}",
        dim=dim,
        params=params,
        architecture=Architecture(builder=f"timm:vit_{size}_patch{patch}_224", kwargs=_KWARGS),
        pooling=Pooling(kind="cls"),
        weights=Weights(hub=_MIRROR.format(f"{size}_patch{patch}"), file="model.safetensors", page=_PAGE),
        pretraining=_pretraining("DINO"),
        notes=f"Class token. The authors' vit{letter}{patch}.pth (release 0.0.1) loads too.",
    )


CARDS = (
    _vit(size="small", patch=16, dim=384, params=21_665_664),
    _vit(size="small", patch=8, dim=384, params=21_670_272),
    _vit(size="base", patch=16, dim=768, params=85_798_656),
    _vit(size="base", patch=8, dim=768, params=85_807_872),
    _card(
        name="kaiko_vitl14",
        title="Kaiko DINOv2 ViT-L/14 with 4 registers",
        dim=1024,
        params=304_370_688,
        architecture=Architecture(builder="timm:vit_large_patch14_reg4_dinov2", kwargs=_KWARGS),
        pooling=Pooling(kind="cls", patch_start=5),
        weights=Weights(
            hub=_MIRROR.format("large_patch14_reg4"),
            file="model.safetensors",
            revision="fb802e347d2c59f05207b70ad75f7df30019c188",
            page=_PAGE,
            sha256="149c8b21c60a7115a17572073b09ef142411c91b5194c84a99ebba8b83f20e69",
            layout="dinov2",
        ),
        pretraining=_pretraining("DINOv2"),
        notes=(
            "Class token. Holds positions of 518 px, resampled to 224 px at run time by timm's rule, as the authors "
            "do. The authors' vitl14.pth, in DINOv2's names, loads too. The mirror's configuration has the norm of "
            "natural images; the authors' is 0.5."
        ),
    ),
)
