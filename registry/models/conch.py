"""CONCH and CONCH v1.5, from the Mahmood Lab: the image towers."""

from ..card import Architecture, Cohort, ModelCard, Preprocessing, Pretraining, Weights

_CLIP_MEAN, _CLIP_STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
_V1 = "registry.architectures.conch:Conch"

CARDS = (
    ModelCard(
        name="conch",
        family="conch",
        title="CONCH, ViT-B/16 at 448 px with an attention pool",
        dim=512,
        params=90_392_832,
        paper="Lu et al., Nature Medicine 2024",
        url="https://doi.org/10.1038/s41591-024-02856-4",
        licence="CC-BY-NC-ND-4.0",
        architecture=Architecture(builder=_V1, kwargs={"output": "image"}),
        preprocessing=Preprocessing(
            size=448, mpp=0.5, tile_size=512, resize=448, interpolation="bicubic", mean=_CLIP_MEAN, std=_CLIP_STD
        ),
        weights=Weights(
            hub="MahmoodLab/CONCH",
            file="pytorch_model.bin",
            revision="f9ca9f877171a28ade80228fb195ac5d79003357",
            page="https://huggingface.co/MahmoodLab/CONCH",
            gated=True,
            sha256="40a9644b9ba0e83a74576e0a5e5f7313599fa9c9cdaf3c20f8a3e271b0e9ae7c",
            layout="registry.architectures.conch:layout",
        ),
        precision="float32",
        pretraining=Pretraining(
            method="iBOT, then CoCa on images and captions",
            data="in-house tiles, then 1.17 million pairs of image and caption; no TCGA, PAIP, GTEx by statement",
            evidence="stated",
        ),
        options={
            "projected": {
                "false": {},
                "true": {"architecture": Architecture(builder=_V1, kwargs={"output": "projected"})},
            }
        },
        notes=(
            "Before the contrastive projection, as the authors advise for tasks; projected=true gives the "
            "normalised vector of zero-shot classification, which has 512 numbers too."
        ),
    ),
    ModelCard(
        name="conch_v1_5",
        family="conch",
        title="CONCH v1.5, ViT-L/16 at 448 px with an attention pool",
        dim=768,
        params=306_109_184,
        paper="Ding et al., Nature Medicine 2025 (with TITAN)",
        url="https://doi.org/10.1038/s41591-025-03982-3",
        licence="CC-BY-NC-ND-4.0",
        architecture=Architecture(builder="registry.architectures.conch:ConchV15"),
        preprocessing=Preprocessing(size=448, mpp=0.5, tile_size=512, resize=448, interpolation="bilinear"),
        weights=Weights(
            hub="MahmoodLab/conchv1_5",
            file="pytorch_model_vision.bin",
            revision="3e5766a5d1500d53c73c03005e24c30c1f27be13",
            page="https://huggingface.co/MahmoodLab/conchv1_5",
            gated=True,
            layout="registry.architectures.conch:layout_v15",
        ),
        precision="float16",
        pretraining=Pretraining(
            method="iBOT, then CoCa on images and captions",
            data="in-house slides in the manner of Mass-340K; no TCGA, PAIP, CPTAC, PANDA by TITAN's statement",
            cohorts=(Cohort(name="GTEx", evidence="stated"),),
            evidence="stated",
        ),
        notes=(
            "ImageNet's norm and a bilinear resize, unlike v1. MahmoodLab/TITAN carries the file too, as "
            "conch_v1_5_pytorch_model.bin (sha256 09daf1912a016512e084636f9c76eee7c42f5c1f09b0461bb76082a3e0fecfa5)."
        ),
    ),
)
