"""The embedding of image files by other harnesses, each through its own interface; run by the Python that has it.

    PYTHON benchmarks/peer_programs.py eva|thunder|slide2vec FOLDER WEIGHTS OUT

Imports nothing of this project. FOLDER holds JPEG files of 256 px, WEIGHTS is the state of timm's
`tf_efficientnet_lite0`, and OUT is a folder that does not exist. Writes ``OUT/features.npy`` in the order of the files'
names, and prints the seconds from the first tile to the last file, without imports and the loading of the model.
`benchmarks/real_peers.py` calls it.
"""

from __future__ import annotations

import importlib.util
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch

_spec = importlib.util.spec_from_file_location("mend", Path(__file__).parents[1] / "registry" / "_torchvision.py")
assert _spec is not None
assert _spec.loader is not None
_mend = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_mend)
_mend.install()  # by its file, as the environments of other harnesses have no packages of ours

import timm  # noqa: E402
from torchvision.transforms import (  # noqa: E402
    CenterCrop,
    Compose,
    InterpolationMode,
    Normalize,
    Resize,
    ToTensor,
    v2,
)

BATCH_SIZE, WORKERS, HALF = 32, 2, (0.5, 0.5, 0.5)


def network(weights: str) -> Any:
    """The same network everywhere."""
    made = timm.create_model("tf_efficientnet_lite0", num_classes=0)
    made.load_state_dict(torch.load(weights, weights_only=True))
    return made.eval()


def pillow_transform() -> Any:
    """Of PIL images, where a harness takes them."""
    bicubic = InterpolationMode.BICUBIC
    return Compose([Resize(256, interpolation=bicubic), CenterCrop(224), ToTensor(), Normalize(HALF, HALF)])


def eva(files: list[Path], weights: str, out: Path) -> tuple[float, np.ndarray]:
    """kaiko-eva: `Interface.predict` with the writer of embeddings, a file a tile."""
    from eva.core import callbacks, interface, trainers
    from eva.core.data import dataloaders, datamodules
    from eva.core.models import modules
    from eva.vision.data import datasets
    from eva.vision.utils import io

    class Tiles(datasets.VisionDataset):
        def __len__(self) -> int:
            return len(files)

        def load_data(self, index: int) -> Any:
            return io.read_image_as_tensor(str(files[index]))

        def load_target(self, index: int) -> torch.Tensor:
            return torch.tensor(0)

        def filename(self, index: int) -> str:
            return files[index].name

    steps = [
        v2.Resize(256, interpolation=InterpolationMode.BICUBIC, antialias=True),
        v2.CenterCrop(224),
        v2.ToDtype(torch.float32, scale=True),
        v2.Normalize(HALF, HALF),
    ]
    transform = v2.Compose(steps)
    tiles = Tiles(transforms=lambda image, target: (transform(image), target))
    loader = dataloaders.DataLoader(batch_size=BATCH_SIZE, num_workers=WORKERS, pin_memory=False)
    data = datamodules.DataModule(
        datasets=datamodules.DatasetsSchema(predict=[tiles]), dataloaders=datamodules.DataloadersSchema(predict=loader)
    )
    writer = callbacks.ClassificationEmbeddingsWriter(str(out / "embeddings"), dataloader_idx_map={0: "predict"})
    trainer = trainers.Trainer(
        default_root_dir=str(out / "logs"), accelerator="cpu", callbacks=[writer], logger=False, max_epochs=1
    )
    module = modules.InferenceModule(network(weights))
    began = time.perf_counter()
    interface.Interface().predict(trainer, module, data)
    seconds = time.perf_counter() - began
    written = [torch.load(out / "embeddings" / f"{file.stem}.pt", weights_only=True) for file in files]
    return seconds, np.stack([np.asarray(one[0] if isinstance(one, list) else one).reshape(-1) for one in written])


def thunder(files: list[Path], weights: str, out: Path) -> tuple[float, np.ndarray]:
    """thunder-bench: its `pre_computing_patch_embeddings`, a dataset a tile; two splits are of one file each."""
    import json

    import h5py
    from thunder.models.pretrained_models import PretrainedModel
    from thunder.tasks.pre_computing_patch_embeddings import pre_computing_patch_embeddings

    class Lite0(PretrainedModel):
        name, emb_dim, vlm = "lite0", 1280, False

        def __init__(self) -> None:
            super().__init__()
            self.network = network(weights)

        def get_transform(self) -> Any:
            return pillow_transform()

        def get_linear_probing_embeddings(self, x: torch.Tensor) -> torch.Tensor:
            return self.network(x)

        def get_segmentation_embeddings(self, x: torch.Tensor) -> torch.Tensor:
            return self.network.forward_features(x).flatten(2).transpose(1, 2)

    out.mkdir()
    names = [str(file) for file in files]
    parts = {"train": names[:1], "val": names[1:2], "test": names[2:]}
    splits = out / "splits.json"
    splits.write_text(json.dumps({part: {"images": own, "labels": [0] * len(own)} for part, own in parts.items()}))
    dataset = SimpleNamespace(data_splits=str(splits))
    settings = SimpleNamespace(dataset=dataset, task=SimpleNamespace(pre_comp_emb_batch_size=BATCH_SIZE))
    model = Lite0()
    began = time.perf_counter()
    pre_computing_patch_embeddings(
        settings,
        str(out / "embeddings"),
        "cpu",
        "custom",
        None,
        ["linear_probing"],
        "frozen",
        str(out),
        "lite0",
        False,
        False,
        model,
    )
    seconds = time.perf_counter() - began
    found = []
    for part, own in parts.items():
        with h5py.File(out / "embeddings" / part / "embeddings.h5") as file:
            found += [file[str(row)][()] for row in range(len(own))]
    return seconds, np.stack(found)


def slide2vec(files: list[Path], weights: str, out: Path) -> tuple[float, np.ndarray]:
    """slide2vec: `Model.embed_images` of an encoder that is registered as its own are, a file a tile."""
    from slide2vec.api import ExecutionOptions, ImageSpec, Model
    from slide2vec.encoders.base import TileEncoder
    from slide2vec.encoders.registry import register_encoder

    @register_encoder(
        "lite0",
        encode_dim=1280,
        input_size=224,
        supports_variable_input_size=False,
        supported_spacing_um=0.5,
        precision="fp32",
    )
    class Lite0(TileEncoder):
        def __init__(self, *, output_variant: str | None = None) -> None:
            self.network = network(weights)

        encode_dim = 1280
        device = torch.device("cpu")

        def to(self, device: Any) -> Any:
            return self

        def get_transform(self) -> Any:
            return pillow_transform()

        def get_normalization_transform(self) -> Any:
            return Compose([ToTensor(), Normalize(HALF, HALF)])

        def encode_tiles(self, batch: torch.Tensor) -> torch.Tensor:
            return self.network(batch)

    model = Model.from_preset("lite0", device="cpu")
    options = ExecutionOptions(output_dir=out, batch_size=BATCH_SIZE, num_gpus=1, precision="fp32")
    specs = [ImageSpec(sample_id=file.stem, image_path=file) for file in files]
    began = time.perf_counter()
    model.embed_images(specs, execution=options)
    seconds = time.perf_counter() - began
    written = [torch.load(out / "image_embeddings" / f"{file.stem}.pt", weights_only=True) for file in files]
    return seconds, np.stack([np.asarray(one).reshape(-1) for one in written])


def main() -> None:
    """Embed the files and print the seconds."""
    which, folder, weights, out = sys.argv[1:]
    torch.set_grad_enabled(False)
    files = sorted(Path(folder).glob("*.jpg"))
    seconds, features = {"eva": eva, "thunder": thunder, "slide2vec": slide2vec}[which](files, weights, Path(out))
    np.save(Path(out) / "features.npy", features)
    print(f"seconds: {seconds}", flush=True)


if __name__ == "__main__":
    main()
