"""ResNet-50 trained on ImageNet: the baseline of the field's papers before pathology had models of its own."""

from ..card import Architecture, ModelCard, Preprocessing, Pretraining, Weights

CARDS = (
    ModelCard(
        name="resnet50",
        family="resnet",
        title="ResNet-50, ImageNet",
        dim=2048,
        params=23_508_032,
        paper="He et al., CVPR 2016",
        url="https://arxiv.org/abs/1512.03385",
        licence="BSD-3-Clause",
        architecture=Architecture(builder="timm:resnet50", kwargs={"num_classes": 0}),
        preprocessing=Preprocessing(size=224, mpp=None, tile_size=256, resize=256, interpolation="bilinear"),
        weights=Weights(
            hub="timm/resnet50.tv_in1k",
            file="model.safetensors",
            page="https://huggingface.co/timm/resnet50.tv_in1k",
            layout="timm_classifier",
        ),
        pretraining=Pretraining(method="supervised", data="ImageNet-1k, natural images", evidence="stated"),
        notes=(
            "torchvision's first weights (IMAGENET1K_V1), because CLAM, TRIDENT and most papers mean these by an "
            "ImageNet ResNet-50; timm's newer recipes (a1_in1k and others) give other features. Global average pool."
        ),
    ),
)
