"""PLUTO, from PathAI, which is not public."""

from ..card import Architecture, ModelCard, Pooling, Preprocessing, Pretraining, Weights

CARDS = (
    ModelCard(
        name="pluto",
        family="pluto",
        title="PLUTO, FlexiViT-S/16",
        dim=384,
        params=21_665_664,
        paper="Juyal et al., arXiv 2024",
        url="https://arxiv.org/abs/2405.07905",
        licence="not released",
        architecture=Architecture(
            builder="timm:vit_small_patch16_224", kwargs={"num_classes": 0, "global_pool": "", "dynamic_img_size": True}
        ),
        preprocessing=Preprocessing(size=224, mpp=0.5, tile_size=224, resize=224, interpolation="bicubic"),
        pooling=Pooling(kind="cls"),
        weights=Weights(layout="dinov2"),
        precision="float16",
        pretraining=Pretraining(
            method="DINOv2 with masked autoencoding and a Fourier loss, at several scales",
            data="195 million tiles of 158,852 slides of over 50 sources; the list is not public",
            evidence="unknown",
        ),
        notes=(
            "There are no public weights, of this model or of PLUTO-4: it runs only from your own checkpoint=, in "
            "timm's or DINOv2's names, of a plain ViT-S/16 with positions of 224 px (FlexiViT at its patch size of "
            "16). The norm of natural images is assumed."
        ),
    ),
)
