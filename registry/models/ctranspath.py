"""CTransPath, and the same network as CHIEF tuned it."""

from ..card import Architecture, Cohort, ModelCard, Preprocessing, Pretraining, Weights

_ARCHITECTURE = Architecture(builder="registry.architectures.ctranspath:build")
_LAYOUT = "registry.architectures.ctranspath:layout"
_NOTES = "Average pool of the last stage. Has batch norm: only in eval mode are its features the published ones."

CARDS = (
    ModelCard(
        name="ctranspath",
        family="ctranspath",
        title="CTransPath, Swin-T with a convolutional stem",
        dim=768,
        params=27_520_038,
        paper="Wang et al., Medical Image Analysis 2022",
        url="https://doi.org/10.1016/j.media.2022.102559",
        licence="GPL-3.0, academic use only by the authors' statement",
        architecture=_ARCHITECTURE,
        preprocessing=Preprocessing(size=224, mpp=1.0, tile_size=224, resize=224, interpolation="bilinear"),
        weights=Weights(
            hub="jamesdolezal/CTransPath",
            file="ctranspath.pth",
            page="https://github.com/Xiyue-Wang/TransPath",
            layout=_LAYOUT,
        ),
        precision="float32",
        pretraining=Pretraining(
            method="SRCL, semantically relevant contrastive learning",
            data="about 15 million tiles of 32,000 slides of TCGA and PAIP",
            cohorts=(Cohort(name="TCGA", evidence="stated"), Cohort(name="PAIP", evidence="stated")),
            evidence="stated",
        ),
        notes=(
            f"{_NOTES} Trained at 20x; the authors advise to try 1.0 mpp first. The hub's copy is the authors' file "
            "of Google Drive (id 1DoDx_70_TLj98gTf6YTXnu4tFhsFocDX), a pickle of a third party, of which nobody "
            "publishes a hash; only data are read from it. The mirror 1aurent/swin_tiny_patch4_window7_224.CTransPath "
            "(59c740e4ed91dda4ebe094b64e4cd2e015c31810, model.safetensors, sha256 "
            "158e29683f19cfb0018d040b95610802b640db60d38b00b25ea7db674cd141e4) loads too; whether its batch norm "
            "statistics are the authors' is not checked, and those of its maker's ResNet-50 mirrors are not."
        ),
    ),
    ModelCard(
        name="chief_ctranspath",
        family="ctranspath",
        title="CHIEF's CTransPath, Swin-T with a convolutional stem",
        dim=768,
        params=27_520_038,
        paper="Wang et al., Nature 2024",
        url="https://doi.org/10.1038/s41586-024-07894-z",
        licence="AGPL-3.0, non-commercial academic use by the authors' statement",
        architecture=_ARCHITECTURE,
        preprocessing=Preprocessing(size=224, mpp=1.0, tile_size=256, resize=224, interpolation="bilinear"),
        weights=Weights(file="CHIEF_CTransPath.pth", page="https://github.com/hms-dbmi/CHIEF", layout=_LAYOUT),
        precision="float32",
        pretraining=Pretraining(
            method="SRCL, tuned further for CHIEF",
            data="CTransPath's tiles, then CHIEF's slides: 60,530 of TCGA and others",
            cohorts=(Cohort(name="TCGA", evidence="stated"), Cohort(name="PAIP", evidence="stated")),
            evidence="stated",
        ),
        notes=(
            f"{_NOTES} What TRIDENT calls ctranspath. Keys and shapes are CTransPath's: the file name tells them apart."
        ),
    ),
)
