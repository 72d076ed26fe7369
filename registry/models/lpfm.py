"""LPFM, a foundation model for low-level pathology: what of it is released."""

from ..card import Architecture, Cohort, ModelCard, Preprocessing, Pretraining, Weights

CARDS = (
    ModelCard(
        name="lpfm",
        family="lpfm",
        title="LPFM stage 1, Restormer",
        dim=384,
        params=26_111_668,
        paper="LPFM, arXiv 2025 (HKUST Smart Lab)",
        url="https://arxiv.org/abs/2509.01071",
        licence="none given: all rights reserved",
        architecture=Architecture(builder="registry.architectures.restormer:Restormer"),
        preprocessing=Preprocessing(
            size=256,
            mpp=0.5,
            tile_size=256,
            resize=None,
            crop=False,
            mean=(0.0, 0.0, 0.0),
            std=(1.0, 1.0, 1.0),
            multiple_of=8,
        ),
        weights=Weights(file="lpfm_restore_stage1.pth", page="https://github.com/ziniBRC/LPFM", layout="under_params"),
        precision="float32",
        pretraining=Pretraining(
            method="supervised restoration of degraded tiles (L1), from Restormer's blind colour denoiser",
            data=(
                "tiles of CAMELYON16, PANDA and staining pairs are named in the released code; the paper's full "
                "list is not"
            ),
            cohorts=(Cohort(name="CAMELYON", evidence="inferred"), Cohort(name="PANDA", evidence="inferred")),
            evidence="inferred",
        ),
        notes=(
            "The contrastive encoder of the paper, trained on 190 million tiles, is NOT released. These features "
            "are a substitute of this project's own definition: the bottleneck of the released restoration network "
            "(384 channels at 1/8 of the resolution, after its last block), averaged over positions. They say "
            "nothing of LPFM's encoder. The network's own work is `restore(uint8) -> uint8`. The resolution of its "
            "training tiles is not stated; 0.5 mpp is assumed. The released inference script loads Restormer's "
            "denoiser as its stage 1; the file meant here is lpfm_restore_stage1.pth."
        ),
    ),
)
