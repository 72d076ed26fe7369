"""Corruptions by name: which there are, what is refused, and what identifies one."""

import subprocess
import sys
from itertools import pairwise

import pytest

from bench.frontends.corruptions import KINDS, LEVELS, corruption
from registry.errors import UserError


def test_the_table_has_a_source_and_five_levels_of_named_parameters_for_every_kind():
    assert tuple(LEVELS) == KINDS
    assert len(KINDS) == 15
    for levels in LEVELS.values():
        assert len(levels.source) > 20
        for five in levels.by_side.values():
            assert [len(level) for level in five] == [len(levels.parameters)] * 5
            assert len(set(five)) == 5


@pytest.mark.parametrize("kind", KINDS)
def test_a_name_says_kind_and_severity(kind):
    made = corruption(kind, 2)

    assert made.name == f"{kind}_2"
    assert not made.restores
    assert made.memory_bytes < 10 * 2**20


def test_identities_differ_by_kind_severity_and_parameters():
    identities = {corruption(kind, severity).identity for kind in KINDS for severity in range(1, 6)}

    assert len(identities) == 75
    assert corruption("jpeg", 3).identity == "jpeg_3 version 1: 224 px (15,)"
    assert corruption("defocus", 2).identity == "defocus_2 version 1: 96 px (4, 0.3); 224 px (4, 0.5)"


@pytest.mark.parametrize(
    ("side", "parameters"), [(64, (5, 0.3)), (96, (5, 0.3)), (159, (5, 0.3)), (160, (6, 0.5)), (512, (6, 0.5))]
)
def test_other_sides_take_the_nearest_published_levels(side, parameters):
    assert LEVELS["defocus"].at(3, side) == parameters


def test_fifths_of_lpfms_ranges_follow_one_another():
    levels = [LEVELS["lpfm_chain"].at(severity, 224) for severity in range(1, 6)]

    assert levels[0][::2] == (0.1, 1.0, 0.0)
    assert levels[4][1::2] == (12.0, 12.0, 15.0)
    assert all(before[1::2] == after[::2] for before, after in pairwise(levels))


@pytest.mark.parametrize("severity", [0, 6, 9, -1])
def test_a_severity_out_of_range_is_one_sentence(severity):
    with pytest.raises(UserError, match=f"^There is no corruption jpeg_{severity}: its severity must be from 1 to 5.$"):
        corruption("jpeg", severity)


def test_an_unknown_kind_names_the_near_one():
    with pytest.raises(UserError, match=r"no corruption 'jpge'.*Is jpeg meant\?$"):
        corruption("jpge", 3)


@pytest.mark.parametrize(
    ("kind", "severity", "side"),
    [
        ("pixelate", 5, 4),
        ("defocus", 1, 9),
        ("defocus", 5, 9),
        ("motion", 5, 13),
        ("downsample", 5, 8),
        ("lpfm_chain", 1, 21),
        ("jpeg", 5, 1),
        ("gaussian_blur", 5, 1),
    ],
)
def test_tiles_that_are_too_small_are_refused_and_no_others(kind, severity, side):
    made = corruption(kind, severity)

    made.check(side, side)
    made.check(side, 500)
    if side > 1:
        with pytest.raises(UserError, match=f"{made.name} needs tiles of at least {side} px.*of 500 x {side - 1} px"):
            made.check(side - 1, 500)


def test_the_names_are_there_without_torch():
    use = "from bench.frontends.corruptions import corruption; corruption('jpeg', 3).check(9, 9)"
    code = f"import sys; {use}; print('torch' in sys.modules)"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "False"
