"""H-optimus-0, H-optimus-1 and H0-mini, from Bioptimus and Owkin."""

from ..card import Architecture, Cohort, ModelCard, Pooling, Preprocessing, Pretraining, Weights

_MEAN, _STD = (0.707223, 0.578729, 0.703617), (0.211883, 0.230117, 0.177517)
_PREPROCESSING = Preprocessing(
    size=224, mpp=0.5, tile_size=224, resize=224, interpolation="bicubic", mean=_MEAN, std=_STD
)
_VIT_G = Architecture(
    builder="timm:vit_giant_patch14_reg4_dinov2",
    kwargs={"img_size": 224, "init_values": 1e-5, "num_classes": 0, "global_pool": "", "dynamic_img_size": False},
)
_AS_THEY_ARE = "The authors feed 224 px as they are; tiles of other sizes are resized, bicubic."

CARDS = (
    ModelCard(
        name="h_optimus_0",
        family="bioptimus",
        title="H-optimus-0, ViT-g/14 with 4 registers",
        dim=1536,
        params=1_134_774_272,
        paper="Saillard et al., release of Bioptimus 2024",
        url="https://github.com/bioptimus/releases",
        licence="Apache-2.0",
        architecture=_VIT_G,
        preprocessing=_PREPROCESSING,
        pooling=Pooling(kind="cls", patch_start=5),
        weights=Weights(
            hub="bioptimus/H-optimus-0",
            file="pytorch_model.bin",
            revision="b145cc1e6c6b30d3251aa8b1f844e6974188a743",
            page="https://huggingface.co/bioptimus/H-optimus-0",
            gated=True,
            sha256="bf47b8467403079798661601b6ab06533be789da48d3f8b510aaefe2fbc55cd3",
        ),
        precision="float16",
        pretraining=Pretraining(
            method="DINOv2", data="over 500,000 proprietary H&E slides; cohorts not listed", evidence="unknown"
        ),
        notes=f"Class token. {_AS_THEY_ARE}",
    ),
    ModelCard(
        name="h_optimus_1",
        family="bioptimus",
        title="H-optimus-1, ViT-g/14 with 4 registers",
        dim=1536,
        params=1_134_774_272,
        paper="Bioptimus, 2025",
        url="https://doi.org/10.1158/1538-7445.AM2026-LB174",
        licence="CC-BY-NC-ND-4.0",
        architecture=_VIT_G,
        preprocessing=_PREPROCESSING,
        pooling=Pooling(kind="cls", patch_start=5),
        weights=Weights(
            hub="bioptimus/H-optimus-1",
            file="model.safetensors",
            revision="3592cb220dec7a150c5d7813fb56e68bd57473b9",
            page="https://huggingface.co/bioptimus/H-optimus-1",
            gated=True,
            sha256="c4f1e5b457ddf00679626053b0bf2899be6a19c3a04ad191c87ad1cdfd1abfe1",
        ),
        precision="float16",
        pretraining=Pretraining(
            method="DINOv2", data="over 1 million proprietary H&E slides; cohorts not listed", evidence="unknown"
        ),
        notes=f"Class token. {_AS_THEY_ARE}",
    ),
    ModelCard(
        name="h0_mini",
        family="bioptimus",
        title="H0-mini, ViT-B/14 with 4 registers",
        dim=768,
        params=85_739_520,
        paper="Filiot et al., MICCAI 2025",
        url="https://arxiv.org/abs/2501.16239",
        licence="CC-BY-NC-ND-4.0",
        architecture=Architecture(
            builder="timm:vit_base_patch14_reg4_dinov2",
            kwargs={
                "img_size": 224,
                "init_values": 1e-5,
                "num_classes": 0,
                "reg_tokens": 4,
                "mlp_ratio": 5.33334,
                "global_pool": "",
                "mlp_layer": "SwiGLUPacked",
                "act_layer": "SiLU",
                "dynamic_img_size": True,
            },
        ),
        preprocessing=_PREPROCESSING,
        pooling=Pooling(kind="cls", patch_start=5),
        weights=Weights(
            hub="bioptimus/H0-mini",
            file="model.safetensors",
            revision="5b5cc0505d19ae558270045eb0df8c34df4d9609",
            page="https://huggingface.co/bioptimus/H0-mini",
            gated=True,
            sha256="5e4de45a6527a8160f7c21fe3105c987757efe30ce581e1f2cf5809476069ade",
        ),
        precision="float16",
        pretraining=Pretraining(
            method="distilled from H-optimus-0",
            data=(
                "PanCancer40M: 43,374,634 tiles of 6,093 slides of TCGA (its teacher did not see them by the same list)"
            ),
            cohorts=(Cohort(name="TCGA", evidence="stated"),),
            evidence="stated",
        ),
        options={"pooling": {"cls": {}, "cls+mean": {"pooling": Pooling(kind="cls+mean", patch_start=5), "dim": 1536}}},
        notes=(
            "Class token: the card of Bioptimus and Owkin on the hub advises it. pooling=cls+mean is what THUNDER and "
            f"PLISM's benchmark take. {_AS_THEY_ARE}"
        ),
    ),
)
