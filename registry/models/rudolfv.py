"""RudolfV, from Aignostics with Charité and LMU: the second generation, and the first, which is not public."""

from ..card import Architecture, Cohort, ModelCard, Pooling, Preprocessing, Pretraining, Weights

_MEAN, _STD = (0.7072, 0.5787, 0.7036), (0.2119, 0.2301, 0.1775)


def _v2(
    *, suffix: str, size: str, dim: int, depth: int, heads: int, hidden: int, params: int, revision: str
) -> ModelCard:
    repository = f"Aignostics/RudolfV-2{suffix}"
    return ModelCard(
        name=f"rudolfv2{suffix.lower().replace('-', '_')}",
        family="rudolfv",
        title=f"RudolfV-2{suffix}, ViT-{size}/8 with 8 registers",
        dim=dim,
        params=params,
        paper="Aignostics, technical report 2026",
        url=f"https://huggingface.co/{repository}",
        licence="CC-BY-NC-ND-4.0 with supplementary terms",
        architecture=Architecture(
            builder="registry.architectures.rudolfv:RudolfV2",
            kwargs={"dim": dim, "depth": depth, "heads": heads, "hidden": hidden},
        ),
        preprocessing=Preprocessing(
            size=224,
            mpp=0.5,
            tile_size=224,
            resize=(224, 224),
            interpolation="bicubic",
            crop=False,
            mean=_MEAN,
            std=_STD,
        ),
        pooling=Pooling(kind="cls", patch_start=9),
        weights=Weights(
            hub=repository,
            file="model.safetensors",
            revision=revision,
            page=f"https://huggingface.co/{repository}",
            gated=True,
            layout="prefix_model",
        ),
        precision="float32",
        pretraining=Pretraining(
            method="self-supervised teacher" if not suffix else "distilled from RudolfV-2",
            data=(
                "over 300,000 slides, H&E and IHC, of a corpus with Charité and LMU; tasks made of slides of these "
                "hospitals (part of Tolkach-ESCA) may overlap"
            ),
            evidence="unknown",
        ),
        options={
            "pooling": {"cls": {}, "cls+mean": {"pooling": Pooling(kind="cls+mean", patch_start=9), "dim": 2 * dim}}
        },
        notes=(
            "Class token; pooling=cls+mean is the default of slide2vec and CRoMa. The network is rebuilt from "
            "published sizes and public code; the names of its feed-forward layers and rotary buffer in the file, "
            "and the convention of the rotary angles, are not public, so a file with other names is refused with a "
            "list of its keys."
        ),
    )


CARDS = (
    _v2(
        suffix="",
        size="g",
        dim=1536,
        depth=40,
        heads=24,
        hidden=4096,
        params=1_133_789_184,
        revision="482d9519c6a10fc22fbe5bcd6a87d5daf056643c",
    ),
    _v2(
        suffix="-B",
        size="B",
        dim=768,
        depth=12,
        heads=12,
        hidden=2048,
        params=85_244_928,
        revision="b2cb55c8fff8aaaf9cc16fda6d09bfb21dfc6db8",
    ),
    _v2(
        suffix="-S",
        size="S",
        dim=384,
        depth=12,
        heads=6,
        hidden=1024,
        params=21_390_336,
        revision="76abacd512a98c72a6db6192af9fc98313c3bd78",
    ),
    ModelCard(
        name="rudolfv",
        family="rudolfv",
        title="RudolfV, ViT-L/14",
        dim=1024,
        params=303_227_904,
        paper="Dippel et al., arXiv 2024",
        url="https://arxiv.org/abs/2401.04079",
        licence="not released",
        architecture=Architecture(
            builder="timm:vit_large_patch14_dinov2", kwargs={"img_size": 224, "num_classes": 0, "global_pool": ""}
        ),
        preprocessing=Preprocessing(size=224, mpp=0.5, tile_size=224, resize=224, interpolation="bicubic"),
        pooling=Pooling(kind="cls"),
        weights=Weights(layout="dinov2"),
        precision="float16",
        pretraining=Pretraining(
            method="DINOv2",
            data=(
                "1.2 billion tiles of 134,000 slides, H&E and others, of more than 15 laboratories; whether TCGA is "
                "among them is not checked here"
            ),
            cohorts=(Cohort(name="TCGA", evidence="unknown"),),
            evidence="unknown",
        ),
        notes=(
            "There are no public weights: it runs only from your own checkpoint=, in timm's or DINOv2's names, of a"
            " ViT-L/14 with positions of 224 px. The norm of natural images is assumed."
        ),
    ),
)
