"""UNI 2, from the Mahmood Lab."""

from ..card import Architecture, Cohort, ModelCard, Pooling, Preprocessing, Pretraining, Weights

CARDS = (
    ModelCard(
        name="uni2_h",
        family="uni",
        title="UNI 2-h, ViT-H/14 with 8 registers",
        dim=1536,
        params=681_394_176,
        paper="Chen et al., Nature Medicine 2024; released January 2025",
        url="https://doi.org/10.1038/s41591-024-02857-3",
        licence="CC-BY-NC-ND-4.0",
        architecture=Architecture(
            builder="timm:vit_giant_patch14_224",
            kwargs={
                "img_size": 224,
                "patch_size": 14,
                "depth": 24,
                "num_heads": 24,
                "init_values": 1e-5,
                "embed_dim": 1536,
                "mlp_ratio": 5.33334,
                "num_classes": 0,
                "global_pool": "",
                "no_embed_class": True,
                "mlp_layer": "SwiGLUPacked",
                "act_layer": "SiLU",
                "reg_tokens": 8,
                "dynamic_img_size": True,
            },
        ),
        preprocessing=Preprocessing(size=224, mpp=0.5, tile_size=256, resize=224, interpolation="bilinear"),
        pooling=Pooling(kind="cls", patch_start=9),
        weights=Weights(
            hub="MahmoodLab/UNI2-h",
            file="pytorch_model.bin",
            revision="d517a8dd47902dd7c308b3c36f63bce47e7b9a43",
            page="https://huggingface.co/MahmoodLab/UNI2-h",
            gated=True,
            sha256="6e077eda234bebc595868d918d3458d9dd32a050199b0ff04443b2f46a0a3b1e",
        ),
        precision="bfloat16",
        pretraining=Pretraining(
            method="DINOv2",
            data=(
                "over 200 million tiles, H&E and IHC, of over 350,000 slides of Mass General Brigham; unlike for "
                "UNI, no list of cohorts left out is published"
            ),
            cohorts=(Cohort(name="GTEx", evidence="inferred"),),
            evidence="unknown",
        ),
        notes="Class token. GTEx is inferred from UNI's training set, which has it.",
    ),
)
