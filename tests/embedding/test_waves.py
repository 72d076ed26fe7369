"""More models than a device holds: they are loaded as many at a time as fit, and the features are the same."""

import dataclasses
import gc
import weakref

import numpy as np
import pytest
from embedding_helpers import Means, contents, expected, make_job, run

from bench.embedding.stage import first_wave
from bench.tiles import reading

GIB = 2**30


class Device:
    """Counts the networks that are alive, as each is loaded."""

    def __init__(self):
        self.alive, self.counts = weakref.WeakSet(), []

    def load(self, network=Means, **settings):
        loaded = network(**settings)
        self.alive.add(loaded)
        self.counts.append(len(self.alive))
        return loaded


class Broken(Means):
    def __call__(self, tiles):
        raise RuntimeError("a layer is broken")


def job(cache, device, number, network=Means):
    own = make_job(cache, None, f"m{number}")
    load = lambda: device.load(network, scale=1.0 + number)  # noqa: E731
    return dataclasses.replace(own, load=load, memory_bytes=GIB)


@pytest.fixture
def decoded(monkeypatch):
    """Paths of the tiles that were decoded."""
    paths, plain = [], reading.read_image_into
    monkeypatch.setattr(
        reading, "read_image_into", lambda out, path, *look: paths.append(path) or plain(out, path, *look)
    )
    return paths


@pytest.fixture(autouse=True)
def _no_collector():
    """What is alive is what something refers to: nothing waits for the garbage collector to free a GPU."""
    gc.disable()
    yield
    gc.enable()


def test_eight_models_where_three_fit(tmp_path, source, decoded):
    device, roomy = Device(), Device()
    jobs = [job(tmp_path / "three", device, number) for number in range(8)]
    made = run(source, *jobs, memory_bytes=3 * GIB)
    assert device.counts == [1, 2, 3, 1, 2, 3, 1, 2]
    assert not device.alive
    assert len(decoded) == 3 * len(source), "each tile is decoded once a wave"
    together = [job(tmp_path / "all", roomy, number) for number in range(8)]
    run(source, *together)
    assert roomy.counts == list(range(1, 9))
    assert len(decoded) == (3 + 1) * len(source)
    for number, (own, other, embedding) in enumerate(zip(jobs, together, made, strict=True)):
        assert contents(own.folder) == contents(other.folder) != {}
        np.testing.assert_allclose(embedding.features(), (1.0 + number) * expected(source), rtol=1e-3)


def test_models_whose_features_stand_take_no_room(tmp_path, source, decoded):
    first, device = Device(), Device()
    run(source, *(job(tmp_path, first, number) for number in (0, 2, 4)))
    decoded.clear()
    run(source, *(job(tmp_path, device, number) for number in range(6)), memory_bytes=3 * GIB)
    assert device.counts == [1, 2, 3]
    assert len(decoded) == len(source)


@pytest.mark.parametrize("fault", ["of a network", "of the loading", "of the features"])
def test_a_model_that_fails_is_not_held_while_the_next_ones_are_loaded(tmp_path, source, fault):
    device = Device()
    jobs = [job(tmp_path, device, number) for number in range(6)]
    if fault == "of a network":
        jobs[1] = job(tmp_path, device, 1, Broken)
    elif fault == "of the features":
        jobs[1] = job(tmp_path, device, float("nan"))
    else:

        def fails():
            half = device.load()
            raise MemoryError(f"{half} is too large")

        jobs[1] = dataclasses.replace(jobs[1], load=fails)
    made = run(source, *jobs, memory_bytes=3 * GIB)
    assert [embedding.error is None for embedding in made] == [True, False, True, True, True, True]
    assert max(device.counts) <= 3
    assert device.counts[3:] == [1, 2, 3]


def test_waves_keep_the_order_and_fill_the_memory(tmp_path):
    sizes = [2, 2, 5, 9, 1, 1, 1]
    jobs = [dataclasses.replace(make_job(tmp_path, None, str(i)), memory_bytes=size) for i, size in enumerate(sizes)]

    def of(memory):
        left, found = jobs, []
        while left:
            wave = first_wave(left, memory)
            left = left[len(wave) :]
            found.append([job.memory_bytes for job in wave])
        return found

    assert of(5) == [[2, 2], [5], [9], [1, 1, 1]], "one that never fits goes alone"
    assert of(1) == [[size] for size in sizes]
    assert of(None) == of(21) == [sizes]
    assert first_wave([], 5) == []
