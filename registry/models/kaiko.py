"""Kaiko.ai's first family of models."""

from ..card import HALF, Architecture, Cohort, ModelCard, Pooling, Preprocessing, Pretraining, Weights

_PAGE = "https://github.com/kaiko-ai/towards_large_pathology_fms"
_MIRROR = "1aurent/vit_{}_224.kaiko_ai_towards_large_pathology_fms"


def _card(
    letter: str, patch: int, title: str, dim: int, params: int, method: str, builder: str, weights: Weights, notes: str
) -> ModelCard:
    return ModelCard(
        name=f"kaiko_vit{letter}{patch}",
        family="kaiko",
        title=title,
        dim=dim,
        params=params,
        paper="Aben et al., arXiv 2024",
        url="https://arxiv.org/abs/2404.15217",
        licence="Kaiko non-commercial",
        architecture=Architecture(
            builder=builder, kwargs={"num_classes": 0, "global_pool": "", "dynamic_img_size": True}
        ),
        preprocessing=Preprocessing(
            size=224, mpp=0.5, tile_size=224, resize=224, interpolation="bilinear", mean=HALF, std=HALF
        ),
        pooling=Pooling(kind="cls", patch_start=5 if letter == "l" else 1),
        weights=weights,
        precision="float32",
        pretraining=Pretraining(
            method=method,
            data="about 29,000 slides of TCGA, FFPE and frozen, at several magnifications",
            cohorts=(Cohort(name="TCGA", evidence="stated"),),
            evidence="stated",
        ),
        notes=f"Class token. {notes}",
    )


def _vit(letter: str, size: str, patch: int, dim: int, params: int) -> ModelCard:
    return _card(
        letter,
        patch,
        f"Kaiko DINO ViT-{letter.upper()}/{patch}",
        dim,
        params,
        "DINO",
        f"timm:vit_{size}_patch{patch}_224",
        Weights(hub=_MIRROR.format(f"{size}_patch{patch}"), file="model.safetensors", page=_PAGE),
        f"The authors' vit{letter}{patch}.pth (release 0.0.1) loads too.",
    )


CARDS = (
    _vit("s", "small", 16, 384, 21_665_664),
    _vit("s", "small", 8, 384, 21_670_272),
    _vit("b", "base", 16, 768, 85_798_656),
    _vit("b", "base", 8, 768, 85_807_872),
    _card(
        "l",
        14,
        "Kaiko DINOv2 ViT-L/14 with 4 registers",
        1024,
        304_370_688,
        "DINOv2",
        "timm:vit_large_patch14_reg4_dinov2",
        Weights(
            hub=_MIRROR.format("large_patch14_reg4"),
            file="model.safetensors",
            revision="fb802e347d2c59f05207b70ad75f7df30019c188",
            page=_PAGE,
            sha256="149c8b21c60a7115a17572073b09ef142411c91b5194c84a99ebba8b83f20e69",
            layout="dinov2",
        ),
        (
            "Holds positions of 518 px, resampled to 224 px at run time by timm's rule, as the authors do. The "
            "authors' vitl14.pth, in DINOv2's names, loads too. The mirror's configuration has the norm of natural "
            "images; the authors' is 0.5."
        ),
    ),
)
