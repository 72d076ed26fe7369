"""HIPT, from the Mahmood Lab: the patch network and both levels over regions."""

from ..card import HALF, Architecture, Cohort, ModelCard, Pooling, Preprocessing, Pretraining, Weights

_PAPER = "Chen et al., CVPR 2022"
_URL = "https://arxiv.org/abs/2206.02647"
_LICENCE = "Apache-2.0 with Commons Clause"
_PAGE = "https://github.com/mahmoodlab/HIPT"
_SHA256_VIT256 = "6960cd5a8657dc8bb214671aa0c6dbd3f5b698e84386884955836487ddc89e24"
_SHA256_VIT4K = "2b0bd9e9a602a35f2bb3f76da39d2b53a91f23fc3f115dc59a63267d95ad2b7b"
_TCGA = (Cohort(name="TCGA", evidence="stated"),)
_BOTH = "registry.architectures.hipt:HIPT"

CARDS = (
    ModelCard(
        name="hipt_vit256",
        family="hipt",
        title="HIPT ViT-256, ViT-S/16",
        dim=384,
        params=21_665_664,
        paper=_PAPER,
        url=_URL,
        licence=_LICENCE,
        architecture=Architecture(builder="registry.architectures.hipt:vit256"),
        preprocessing=Preprocessing(
            size=256, mpp=0.5, tile_size=256, resize=None, crop=False, mean=HALF, std=HALF, multiple_of=16
        ),
        pooling=Pooling(kind="cls"),
        weights=Weights(
            file="vit256_small_dino.pth",
            revision="780fafaed2e5b112bc1ed6e78852af1fe6714342",
            page=_PAGE,
            sha256=_SHA256_VIT256,
            layout="dino_teacher",
        ),
        precision="float32",
        pretraining=Pretraining(
            method="DINO",
            data="104 million patches of 10,678 diagnostic slides of TCGA",
            cohorts=_TCGA,
            evidence="stated",
        ),
        notes=(
            "Class token. Tiles are not resized; the positions, trained for 224 px, are resampled to the tile by "
            "DINO's rule. The file lies in Git LFS: `git lfs pull` brings it."
        ),
    ),
    ModelCard(
        name="hipt",
        family="hipt",
        title="HIPT, ViT-256 under ViT-4K",
        unit="region",
        dim=192,
        params=24_447_168,
        paper=_PAPER,
        url=_URL,
        licence=_LICENCE,
        architecture=Architecture(builder=_BOTH, kwargs={"output": "cls4k"}),
        preprocessing=Preprocessing(
            size=4096, mpp=0.5, tile_size=4096, resize=None, crop=False, mean=HALF, std=HALF, multiple_of=256
        ),
        weights=Weights(
            files={"vit256_small_dino.pth": _SHA256_VIT256, "vit4k_xs_dino.pth": _SHA256_VIT4K},
            revision="780fafaed2e5b112bc1ed6e78852af1fe6714342",
            page=_PAGE,
            layout="registry.architectures.hipt:layout",
        ),
        precision="float32",
        pretraining=Pretraining(
            method="DINO on patches, then DINO on regions of their features",
            data="104 million patches and 408,218 regions of 10,678 diagnostic slides of TCGA",
            cohorts=_TCGA,
            evidence="stated",
        ),
        options={
            "output": {
                "cls4k": {},
                "mean256+cls4k": {
                    "architecture": Architecture(builder=_BOTH, kwargs={"output": "mean256+cls4k"}),
                    "dim": 576,
                },
            }
        },
        notes="Regions of 4096 px, or of any sides that are multiples of 256 px. Class token of the upper network.",
    ),
)
