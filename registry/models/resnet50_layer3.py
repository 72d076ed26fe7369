"""ResNet-50 cut after its third stage: the features of CLAM and TRIDENT."""

from ..card import Architecture, ModelCard, Preprocessing, Pretraining, Weights

CARDS = (
    ModelCard(
        name="resnet50_layer3",
        family="resnet",
        title="ResNet-50 to its third stage, ImageNet",
        dim=1024,
        params=8_543_296,
        paper="He et al., CVPR 2016; as in Lu et al., Nature Biomedical Engineering 2021",
        url="https://arxiv.org/abs/1512.03385",
        licence="BSD-3-Clause",
        architecture=Architecture(builder="registry.architectures.resnet:ResNetLayer3"),
        preprocessing=Preprocessing(size=224, mpp=None, tile_size=256, resize=224, interpolation="bilinear"),
        weights=Weights(
            hub="timm/resnet50.tv_in1k",
            file="model.safetensors",
            page="https://huggingface.co/timm/resnet50.tv_in1k",
            layout="registry.architectures.resnet:layout",
        ),
        precision="float32",
        pretraining=Pretraining(method="supervised", data="ImageNet-1k, natural images", evidence="stated"),
        notes="Average over positions of the third stage; 256 px at 20x go to 224 px, as TRIDENT does.",
    ),
)
