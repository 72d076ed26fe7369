"""SP22M and SP85M, from Mount Sinai."""

from ..card import Architecture, ModelCard, Pooling, Preprocessing, Pretraining, Weights


def _card(
    *,
    name: str,
    title: str,
    size: str,
    dim: int,
    params: int,
    revision: str | None = None,
    sha256: str | None = None,
    notes: str = "",
) -> ModelCard:
    repository = f"MountSinaiCompPath/{name.upper()}"
    return ModelCard(
        name=name,
        family="mount_sinai",
        title=title,
        dim=dim,
        params=params,
        paper="Campanella et al., arXiv 2023",
        url="https://arxiv.org/abs/2310.07033",
        licence="CC-BY-NC-SA-4.0",
        architecture=Architecture(builder=f"timm:vit_{size}_patch16_224", kwargs={"num_classes": 0, "global_pool": ""}),
        preprocessing=Preprocessing(size=224, mpp=0.5, tile_size=224, resize=224, interpolation="bicubic"),
        pooling=Pooling(kind="cls"),
        weights=Weights(
            hub=repository,
            file="pytorch_model.bin",
            revision=revision,
            page=f"https://huggingface.co/{repository}",
            sha256=sha256,
            layout="prefix_encoder",
        ),
        precision="float32",
        pretraining=Pretraining(
            method="DINO",
            data=(
                "3.2 billion tiles of 423,000 H&E slides of Mount Sinai; tasks made of that hospital's slides may "
                "overlap"
            ),
            evidence="stated",
        ),
        notes=f"Class token. The authors feed 224 px as they are. {notes}".strip(),
    )


CARDS = (
    _card(
        name="sp22m",
        title="SP22M, ViT-S/16",
        size="small",
        dim=384,
        params=21_665_664,
        revision="8f636e50446c6b45008fa8cecf30f7bc92633a11",
        sha256="4776892690a941a5728157c38d64aab549d7b861394a328cf3a5620222c4ff41",
    ),
    _card(
        name="sp85m",
        title="SP85M, ViT-B/16",
        size="base",
        dim=768,
        params=85_798_656,
        notes="The snippet on the authors' page builds a ViT-S; the file is a ViT-B.",
    ),
)
