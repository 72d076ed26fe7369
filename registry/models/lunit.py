"""Lunit's benchmark of self-supervised learning."""

from functools import partial

from ..card import Architecture, Cohort, ModelCard, Pooling, Preprocessing, Pretraining, Weights

_RELEASE = "https://github.com/lunit-io/benchmark-ssl-pathology/releases/tag/pretrained-weights"
_TRAP = "Lunit's own mean and std; the mirrors' configuration has those of natural images."

_card = partial(
    ModelCard,
    family="lunit",
    paper="Kang et al., CVPR 2023",
    url="https://arxiv.org/abs/2212.04690",
    licence="Lunit non-commercial",
    preprocessing=Preprocessing(
        size=224,
        mpp=0.5,
        tile_size=224,
        resize=224,
        interpolation="bilinear",
        mean=(0.70322989, 0.53606487, 0.66096631),
        std=(0.21716536, 0.26081574, 0.20723464),
    ),
    precision="float32",
)


def _pretraining(method: str) -> Pretraining:
    return Pretraining(
        method=method,
        data="19 million tiles of TCGA at 20x and 40x by the authors' page (a mirror's says 33 million, TULIP with it)",
        cohorts=(Cohort(name="TCGA", evidence="stated"),),
        evidence="stated",
    )


def _vit(*, patch: int, params: int, revision: str, sha256: str) -> ModelCard:
    return _card(
        name=f"lunit_vits{patch}",
        title=f"Lunit DINO ViT-S/{patch}",
        dim=384,
        params=params,
        architecture=Architecture(
            builder=f"timm:vit_small_patch{patch}_224", kwargs={"num_classes": 0, "global_pool": ""}
        ),
        pooling=Pooling(kind="cls"),
        weights=Weights(
            hub=f"1aurent/vit_small_patch{patch}_224.lunit_dino",
            file="model.safetensors",
            revision=revision,
            sha256=sha256,
            page=_RELEASE,
        ),
        pretraining=_pretraining("DINO"),
        notes=f"Class token. {_TRAP} The authors' file dino_vit_small_patch{patch}_ep200.torch loads too.",
    )


def _resnet(*, short: str, method: str, sha256: str) -> ModelCard:
    return _card(
        name=f"lunit_resnet50_{short}",
        title=f"Lunit {method} ResNet-50",
        dim=2048,
        params=23_508_032,
        architecture=Architecture(builder="timm:resnet50", kwargs={"num_classes": 0}),
        weights=Weights(file=f"{short}_rn50_ep200.torch", revision="pretrained-weights", page=_RELEASE, sha256=sha256),
        pretraining=_pretraining(method),
        notes=(
            f"Global average pool. {_TRAP} The mirrors' batch norm statistics differ from the authors' file: take that."
        ),
    )


CARDS = (
    _vit(
        patch=16,
        params=21_665_664,
        revision="9ed09909d93f9d39a092d8e49717ae48f9b44e6f",
        sha256="a19eb37d6cf038a7e8a34c7e9ec50698d02759b2f49dd799492f6ce7e4cb5937",
    ),
    _vit(
        patch=8,
        params=21_670_272,
        revision="c23bc01cfbe022bc1f2a8a9306125a07818e4eb4",
        sha256="0b7e0236ce430064b31485bbb6f85e661dc5eca0cde709e8f04d59f1c2b23e0b",
    ),
    _resnet(
        short="bt",
        method="Barlow Twins",
        sha256="1ecf2f0888b598708e912cab689e797db099ec48df07d3b0b1fac04bc767f899",
    ),
    _resnet(
        short="mocov2",
        method="MoCo v2",
        sha256="caddcff7980577722e9227fb90e61364556f15978483b19a1729831e770733b6",
    ),
    _resnet(
        short="swav",
        method="SwAV",
        sha256="bf99442e9ce3367e3895e80b4d24e7f21d74b3c791347970b91eb82bcefa366f",
    ),
)
