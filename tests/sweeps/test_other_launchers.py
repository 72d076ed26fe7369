"""Launchers of Hydra that the sites do not know."""

import sys
import types

import pytest
from hydra.core.config_store import ConfigStore
from hydra.core.plugins import Plugins
from sweep_commands import bench, left_in, records

pytestmark = pytest.mark.usefixtures("forget")
NAME = "hydra_plugins.pfmbench_test.TestLauncher"


@pytest.fixture
def launcher(monkeypatch):
    """Hydra's own launcher under another name, which also notes what it is seen."""
    from hydra._internal.core_plugins.basic_launcher import BasicLauncher

    seen = []

    class TestLauncher(BasicLauncher):
        def __init__(self, width: int = 1) -> None:
            super().__init__()
            self.width = width

        def launch(self, job_overrides, initial_job_idx):
            seen.append((self.width, initial_job_idx, job_overrides))
            return super().launch(job_overrides, initial_job_idx)

    module = types.ModuleType("hydra_plugins.pfmbench_test")
    module.TestLauncher = TestLauncher
    monkeypatch.setitem(sys.modules, module.__name__, module)
    TestLauncher.__module__, TestLauncher.__qualname__ = module.__name__, "TestLauncher"
    Plugins.instance().register(TestLauncher)
    store = ConfigStore.instance()
    store.store(group="hydra/launcher", name="of_a_test", node={"_target_": NAME, "width": 3}, provider="test")
    yield seen
    store.repo["hydra"]["launcher"].pop("of_a_test.yaml")
    Plugins.instance().class_name_to_class.pop(NAME)


@pytest.mark.slow
def test_any_launcher_of_hydra_runs_the_jobs_by_their_command_lines(launcher, common, tmp_path):
    grid = (*common, "model=tiny_a,tiny_faulty", "task=one", "null=none")
    done = bench(tmp_path, "sweep", *grid, "hydra/launcher=of_a_test", "shards=2", "results=ours", "cache=a")
    plain = bench(tmp_path, "sweep", *grid, "results=theirs", "cache=b")

    assert (done.returncode, plain.returncode) == (2, 2), done.stderr
    assert [(width, first, len(jobs)) for width, first, jobs in launcher] == [(3, 0, 4), (3, 4, 2)]
    assert left_in(tmp_path / "ours") == left_in(tmp_path / "theirs"), done.stderr
    found = records(tmp_path / "ours")
    assert {record.engine for record in found.values()} == {"of_a_test"}
    assert {record.state for name, record in found.items() if name[0] == "tiny_a"} == {"done"}
    assert any("a fault of the network" in sentence for sentence in done.sentences)


def test_a_launcher_that_fails_is_a_sentence(launcher, common, tmp_path, monkeypatch):
    sentence = "Job 0 (tiny_a on one): the launcher of_a_test failed, ConnectionError: the cluster is away."

    def launch(*_, **__):
        raise ConnectionError("the cluster is away")

    monkeypatch.setattr(Plugins.instance().class_name_to_class[NAME], "launch", launch)
    done = bench(tmp_path, "sweep", *common, "model=tiny_a", "task=one", "null=none", "hydra/launcher=of_a_test")

    assert done.returncode == 2
    assert done.sentences == [sentence]
    assert {record.state for record in records(tmp_path / "results").values()} == {"failed"}
