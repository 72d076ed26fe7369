"""Embedding with patch tokens: the vectors are the same, both come of one pass, and neither is made twice."""

import errno

import h5py
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from embedding_helpers import Means, N, contents, killed_and_resumed, make_job, run
from PIL import Image

from bench.embedding import grid_of, read_features, read_tokens, tokens_path
from bench.embedding.forward import Forward
from registry.errors import UserError
from registry.extractor import Tokens

GRID = (2, 4)  # of tiles of 8 x 8 px


class TokenMeans(Means):
    """Channel means of a tile, and of its patches of 4 x 2 px as tokens."""

    def tokens(self, tiles):
        vectors = self(tiles)
        patches = F.avg_pool2d(tiles.float(), (4, 2)).flatten(2).transpose(1, 2) * self.scale
        return Tokens(vectors, patches, GRID)


def expected(source):
    tiles = np.stack([np.asarray(Image.open(path), np.float32) for path in source.paths])
    return tiles.reshape(N, 2, 4, 4, 2, 3).mean((2, 4)).reshape(N, 8, 3)


def tokens(made):
    return np.concatenate([read_tokens(tokens_path(file))[0][:] for file in made.files])


def test_vectors_are_the_same_and_tokens_stand_beside_them(tmp_path, source):
    plain = make_job(tmp_path / "plain", TokenMeans())
    network = TokenMeans()
    job = make_job(tmp_path / "tokens", network, tokens=True)
    run(source, plain)
    [made] = run(source, job)
    assert made.error is None
    assert network.calls == 3 + 3 + 2, "vectors and tokens are of the same forward pass"
    vectors = {name: own for name, own in contents(job.folder).items() if not name.endswith(".tokens.h5")}
    assert vectors == contents(plain.folder)
    assert len(contents(job.folder)) == 2 * len(vectors) == 6
    np.testing.assert_allclose(tokens(made), expected(source), rtol=1e-3)
    assert made.grid == GRID
    for file in made.files:
        stored, attributes = read_tokens(tokens_path(file))
        of_vectors = read_features(file)[1]
        assert grid_of(attributes) == GRID
        assert {name: attributes[name] for name in of_vectors} == of_vectors
        assert stored.shape == (len(read_features(file)[0]), 8, 3)
        with h5py.File(tokens_path(file)) as opened:
            assert opened["tokens"].dtype == np.float16


def test_nothing_is_done_twice(tmp_path, source):
    networks = [TokenMeans() for _ in range(4)]
    jobs = [make_job(tmp_path, network, tokens=wanted) for network, wanted in zip(networks, (0, 1, 1, 0), strict=True)]
    for job in jobs[:2]:
        run(source, job)
    before = contents(jobs[0].folder)
    for job in jobs[2:]:
        [made] = run(source, job)
        np.testing.assert_allclose(tokens(made), expected(source), rtol=1e-3)
    assert [network.calls for network in networks] == [8, 8, 0, 0], "vectors without tokens are made anew, once"
    assert contents(jobs[0].folder) == before


def test_vectors_that_are_made_anew_with_tokens_are_the_same(tmp_path, source):
    job = make_job(tmp_path, TokenMeans())
    run(source, job)
    before = contents(job.folder)
    run(source, make_job(tmp_path, TokenMeans(), tokens=True))
    after = contents(job.folder)
    assert {name: after[name] for name in before} == before


def test_of_two_models_one_gives_tokens(tmp_path, source):
    one, two = make_job(tmp_path, TokenMeans(), "one", tokens=True), make_job(tmp_path, TokenMeans(2.0), "two")
    made, plain = run(source, one, two)
    np.testing.assert_allclose(tokens(made), expected(source), rtol=1e-3)
    assert not list(two.folder.glob("*.tokens.h5"))
    np.testing.assert_allclose(plain.features(), 2 * made.features(), rtol=1e-3)


def test_tiles_that_are_left_out_are_in_neither_file(tmp_path, source):
    whole = expected(source)
    open(source.paths[30], "wb").close()
    job = make_job(tmp_path, TokenMeans(), tokens=True)
    with pytest.raises(UserError, match=r"030\.png"):
        run(source, job)
    assert len(list(job.folder.glob("*.h5"))) == 2, "the shard before it stays"
    assert not list(job.folder.glob(".*")), "what was begun is removed"
    [made] = run(source, job, on_corrupt="skip")
    np.testing.assert_allclose(tokens(made), np.delete(whole, 30, axis=0), rtol=1e-3)
    assert len(tokens(made)) == len(made.features()) == N - 1


def test_tokens_that_are_no_numbers_are_refused_and_leave_nothing(tmp_path, source):
    class NoNumbers(TokenMeans):
        def tokens(self, tiles):
            found = super().tokens(tiles)
            return Tokens(found.vectors, found.patches / 0, GRID)

    bad, good = make_job(tmp_path, NoNumbers(), "bad", tokens=True), make_job(tmp_path, TokenMeans(), "good")
    failed, made = run(source, bad, good)
    assert "not finite" in str(failed.error)
    assert not list(bad.folder.glob("*"))
    assert made.error is None


def test_a_model_that_gives_none_fails_alone(tmp_path, source):
    class NoTokens(Means):
        def tokens(self, tiles):
            raise UserError("m gives no patch tokens")

    failed, made = run(
        source, make_job(tmp_path, NoTokens(), "a", tokens=True), make_job(tmp_path, TokenMeans(), "b", tokens=True)
    )
    assert "gives no patch tokens" in str(failed.error)
    np.testing.assert_allclose(tokens(made), expected(source), rtol=1e-3)


@pytest.mark.parametrize(("fits", "sizes"), [(50, []), (7, [16, 8, 4]), (2, [16, 8, 4, 2])])
def test_where_memory_runs_out_the_parts_are_joined(source, fits, sizes):
    class Small(TokenMeans):
        def tokens(self, tiles):
            if len(tiles) > fits:
                raise torch.OutOfMemoryError
            return super().tokens(tiles)

    said = []
    tiles = torch.from_numpy(np.stack([np.asarray(Image.open(path)) for path in source.paths])).permute(0, 3, 1, 2)
    computed = Forward("m", Small(), 32, said.append, tokens=True)(tiles[:32])
    features, tokens, _ = computed.wait()
    assert said == sizes
    assert computed.grid == GRID
    np.testing.assert_allclose(tokens, expected(source)[:32], rtol=1e-5)
    np.testing.assert_allclose(tokens.mean(1), features, rtol=1e-5)


def test_a_disk_that_fills_under_the_tokens_is_a_sentence_and_leaves_nothing(tmp_path, source, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("bench.embedding.token_store._RawFile.write", full)
    job = make_job(tmp_path, TokenMeans(), tokens=True)
    [made] = run(source, job)
    assert "is full: make room" in str(made.error)
    assert not list(job.folder.iterdir())


@pytest.mark.parametrize("change", [{"batch_size": 1}, {"batch_size": 64}, {"workers": 1}])
def test_how_it_is_batched_changes_nothing(tmp_path, source, change):
    one, other = (make_job(tmp_path / name, TokenMeans(), tokens=True) for name in "ab")
    run(source, one)
    run(source, other, **change)
    assert contents(one.folder) == contents(other.folder)


def test_killed_at_any_moment_and_resumed_it_is_the_same_bit_for_bit(tmp_path, source):
    plain, job = (make_job(tmp_path / name, TokenMeans(pause=0.004), tokens=True) for name in ("plain", "killed"))
    killed_and_resumed(source, plain, job, 3)
    assert contents(job.folder) == contents(plain.folder)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_on_cuda_they_are_those_of_the_cpu(tmp_path, source):
    class OnCuda(TokenMeans):
        device = torch.device("cuda")

        def __call__(self, tiles):
            return super().__call__(tiles.cuda())

        def tokens(self, tiles):
            return super().tokens(tiles.cuda())

    [made] = run(source, make_job(tmp_path, OnCuda(), tokens=True))
    np.testing.assert_allclose(tokens(made), expected(source), rtol=1e-3)
