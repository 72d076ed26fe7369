"""Lunit's benchmark of self-supervised learning."""

from ..card import Architecture, Cohort, ModelCard, Pooling, Preprocessing, Pretraining, Weights

_MEAN, _STD = (0.70322989, 0.53606487, 0.66096631), (0.21716536, 0.26081574, 0.20723464)
_RELEASE = "https://github.com/lunit-io/benchmark-ssl-pathology/releases/tag/pretrained-weights"
_TRAP = "Lunit's own mean and std; the mirrors' configuration has those of natural images."


def _card(
    name: str,
    title: str,
    dim: int,
    params: int,
    method: str,
    builder: str,
    pooling: Pooling,
    weights: Weights,
    notes: str,
) -> ModelCard:
    kwargs: dict[str, object] = {"num_classes": 0}
    if pooling.kind == "cls":
        kwargs["global_pool"] = ""
    return ModelCard(
        name=name,
        family="lunit",
        title=title,
        dim=dim,
        params=params,
        paper="Kang et al., CVPR 2023",
        url="https://arxiv.org/abs/2212.04690",
        licence="Lunit non-commercial",
        architecture=Architecture(builder=builder, kwargs=kwargs),
        preprocessing=Preprocessing(
            size=224, mpp=0.5, tile_size=224, resize=224, interpolation="bilinear", mean=_MEAN, std=_STD
        ),
        pooling=pooling,
        weights=weights,
        precision="float32",
        pretraining=Pretraining(
            method=method,
            data=(
                "19 million tiles of TCGA at 20x and 40x by the authors' page (a mirror's says 33 million, TULIP "
                "with it)"
            ),
            cohorts=(Cohort(name="TCGA", evidence="stated"),),
            evidence="stated",
        ),
        notes=notes,
    )


def _vit(patch: int, params: int, revision: str, sha256: str) -> ModelCard:
    return _card(
        f"lunit_vits{patch}",
        f"Lunit DINO ViT-S/{patch}",
        384,
        params,
        "DINO",
        f"timm:vit_small_patch{patch}_224",
        Pooling(kind="cls"),
        Weights(
            hub=f"1aurent/vit_small_patch{patch}_224.lunit_dino",
            file="model.safetensors",
            revision=revision,
            sha256=sha256,
            page=_RELEASE,
        ),
        f"Class token. {_TRAP} The authors' file dino_vit_small_patch{patch}_ep200.torch loads too.",
    )


def _resnet(short: str, method: str, sha256: str) -> ModelCard:
    return _card(
        f"lunit_resnet50_{short}",
        f"Lunit {method} ResNet-50",
        2048,
        23_508_032,
        method,
        "timm:resnet50",
        Pooling(kind="none"),
        Weights(file=f"{short}_rn50_ep200.torch", revision="pretrained-weights", page=_RELEASE, sha256=sha256),
        f"Global average pool. {_TRAP} The mirrors' batch norm statistics differ from the authors' file: take that.",
    )


CARDS = (
    _vit(
        16,
        21_665_664,
        "9ed09909d93f9d39a092d8e49717ae48f9b44e6f",
        "a19eb37d6cf038a7e8a34c7e9ec50698d02759b2f49dd799492f6ce7e4cb5937",
    ),
    _vit(
        8,
        21_670_272,
        "c23bc01cfbe022bc1f2a8a9306125a07818e4eb4",
        "0b7e0236ce430064b31485bbb6f85e661dc5eca0cde709e8f04d59f1c2b23e0b",
    ),
    _resnet("bt", "Barlow Twins", "1ecf2f0888b598708e912cab689e797db099ec48df07d3b0b1fac04bc767f899"),
    _resnet("mocov2", "MoCo v2", "caddcff7980577722e9227fb90e61364556f15978483b19a1729831e770733b6"),
    _resnet("swav", "SwAV", "bf99442e9ce3367e3895e80b4d24e7f21d74b3c791347970b91eb82bcefa366f"),
)
