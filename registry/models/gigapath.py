"""Prov-GigaPath, from Microsoft and Providence: the tile encoder and the slide encoder."""

from ..card import Architecture, ModelCard, Pooling, Preprocessing, Pretraining, Weights

_LICENCE = "Apache-2.0, with research-only terms on the model card"
_PAPER = "Xu et al., Nature 2024"
_URL = "https://doi.org/10.1038/s41586-024-07441-w"
_HUB = "prov-gigapath/prov-gigapath"
_PAGE = "https://huggingface.co/prov-gigapath/prov-gigapath"
_LONGNET = "registry.architectures.longnet:LongNetSlideEncoder"

CARDS = (
    ModelCard(
        name="prov_gigapath",
        family="gigapath",
        title="Prov-GigaPath tile encoder, ViT-g/16",
        dim=1536,
        params=1_134_953_984,
        paper=_PAPER,
        url=_URL,
        licence=_LICENCE,
        architecture=Architecture(
            builder="timm:vit_giant_patch14_dinov2",
            kwargs={
                "img_size": 224,
                "in_chans": 3,
                "patch_size": 16,
                "embed_dim": 1536,
                "depth": 40,
                "num_heads": 24,
                "init_values": 1e-5,
                "mlp_ratio": 5.33334,
                "num_classes": 0,
                "global_pool": "",
            },
        ),
        preprocessing=Preprocessing(size=224, mpp=0.5, tile_size=256, resize=256, interpolation="bicubic"),
        pooling=Pooling(kind="cls"),
        weights=Weights(
            hub=_HUB,
            file="pytorch_model.bin",
            revision="64f9e26c15019f2d4f6d9113c6822f88bb16b01b",
            page=_PAGE,
            gated=True,
            sha256="877947214318afa9e011754b74bbc3894a1f480a253afc7bc8045b8321dedd63",
        ),
        precision="float16",
        pretraining=Pretraining(
            method="DINOv2", data="1.3 billion tiles of 171,189 slides of Providence; no TCGA", evidence="stated"
        ),
        notes=(
            "Class token. Tiles of 256 px lose 16 px on each side to the crop, as the authors do; the hub's "
            "configuration, which says otherwise, is not theirs to follow."
        ),
    ),
    ModelCard(
        name="gigapath_slide",
        family="gigapath",
        title="Prov-GigaPath slide encoder, LongNet",
        unit="slide",
        dim=768,
        params=86_330_880,
        paper=_PAPER,
        url=_URL,
        licence=_LICENCE,
        architecture=Architecture(builder=_LONGNET, kwargs={"output": "mean"}),
        preprocessing=Preprocessing(size=256, mpp=0.5, tile_size=256, resize=None, crop=False),
        weights=Weights(
            hub=_HUB,
            file="slide_encoder.pth",
            revision="eba85dd46097c3eedfcc2a3a9a930baecb6bcc19",
            page=_PAGE,
            gated=True,
            sha256="04194a4c393e6a713b144356791c0d2e27ca769ee50c6e111fd6abc1f17ed551",
            layout="under_model",
        ),
        precision="float32",
        pretraining=Pretraining(
            method="masked autoencoder over tile features",
            data="171,189 slides of Providence; no TCGA",
            evidence="stated",
        ),
        options={
            "output": {
                "mean": {},
                "cls": {"architecture": Architecture(builder=_LONGNET, kwargs={"output": "cls"})},
                "mean_layer11": {"architecture": Architecture(builder=_LONGNET, kwargs={"output": "mean_layer11"})},
                "mean_layer12": {"architecture": Architecture(builder=_LONGNET, kwargs={"output": "mean_layer12"})},
            }
        },
        tile_encoder="prov_gigapath",
        notes=(
            "Mean over tiles of what the encoder's closing norm gives (the authors' global_pool=True). Their "
            "demonstration, which says that pretraining left the class token untrained, takes the mean after the last "
            "layer and before that norm: output=mean_layer12. output=cls is the default of their fine-tuning, "
            "output=mean_layer11 that of TRIDENT. Plain PyTorch: upstream runs only with flash-attn on CUDA."
        ),
    ),
)
