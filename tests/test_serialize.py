"""Laws of reading and writing configurations and spaces."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from strategies import configs

from pvtsearch.config import PooledReduction, PVTConfig, SpatialReduction
from pvtsearch.errors import InputError
from pvtsearch.files import write_whole
from pvtsearch.knobs import ShareRule, TrendRule
from pvtsearch.presets import PRESETS
from pvtsearch.serialize import config_from_dict, config_to_dict, dump_config, load_config
from pvtsearch.serialize_space import load_space, space_from_dict

STAGE = "{patch_size: 4, embed_dim: 64, depth: 1, num_heads: 1, mlp_ratio: 4}"
KNOBS = "{patch_size: 4, embed_dim: [32, 64], depth: {from: 1, to: 3}, head_dim: 32, mlp_ratio: 4}"

MALFORMED_CONFIGS = {
    f"stages: [{STAGE.replace('mlp_ratio', 'mlp_ration')}]": "stages[0].mlp_ration: unknown field, did you mean 'mlp_",
    f"stages: [{STAGE}]\nstagse: 3": "stagse: unknown field, did you mean 'stages'?",
    f"stages: [{STAGE}]\nzzz: 3": "zzz: unknown field, known are",
    "stages: []": "stages must hold 1 to 6 stages, got 0",
    f"stages: [{', '.join([STAGE] * 7)}]": "stages must hold 1 to 6 stages, got 7",
    "name: x": "stages is missing",
    "stages: 4": "stages: must be a list of stages, got 4",
    "stages: [4]": "stages[0]: must be a mapping",
    "[1, 2]": "must be a mapping",
    "": "must be a mapping",
    f"stages: [{STAGE.replace('num_heads: 1', 'num_heads: 3')}]": "num_heads must divide embed_dim, got num_heads=3",
    f"stages: [{STAGE.replace('depth: 1', 'depth: 0')}]": "stages[0]: depth must be an integer of at least 1, got 0",
    f"stages: [{STAGE.replace('depth: 1', 'depth: true')}]": "depth must be an integer of at least 1, got True",
    f"stages: [{STAGE.replace('depth: 1', 'depth: 1.5')}]": "depth must be an integer of at least 1, got 1.5",
    f"stages: [{STAGE.replace('depth: 1', 'depth: one')}]": "depth must be an integer of at least 1, got 'one'",
    f"stages: [{STAGE.replace('mlp_ratio: 4', 'mlp_ratio: .nan')}]": "mlp_ratio must be a finite number of at most",
    f"stages: [{STAGE.replace('mlp_ratio: 4', 'mlp_ratio: 0.001')}]": "mlp_ratio must give an MLP of width 1 or more",
    f"stages: [{STAGE.replace('depth: 1', 'sr_ratio: 2, pool_size: 7, depth: 1')}]": "sr_ratio and pool_size exclude",
    f"stages: [{STAGE.replace('depth: 1', 'sr_ratio: 2, depth: 1')}]": "pool: cls needs sr_ratio 1 in the last stage",
    f"stages: [{STAGE.replace('depth: 1, ', '')}]": "stages[0].depth: is missing",
    f"stages: [{STAGE}]\nmlp: conv": "pool: cls needs mlp: plain",
    f"stages: [{STAGE}]\npatch_embed: overlapping": "patch_embed must be plain or overlap, got 'overlapping'",
    f"stages: [{STAGE}]\nqkv_bias: 1": "qkv_bias must be true or false, got 1",
    f"stages: [{STAGE}]\nimage_size: 3": "patch_size 4 needs a larger input",
    f"stages: [{STAGE.replace('depth: 1', 'depth: 1, sr_ratio: 9')}]\nimage_size: 32\npool: mean": (
        "sr_ratio 9 needs a grid of at least 9x9, got 8x8"
    ),
    f"stages: [{STAGE}]\nstages: [{STAGE}]": "not valid YAML",
    "stages: [": "line 1, column",
    "stages: !!python/object/apply:os.system ['true']": "not valid YAML",
    f"stages: [{STAGE}]\nnorm_eps: 0": "norm_eps must be above 0",
    f"stages: [{STAGE}]\ndrop_path_rate: 1": "drop_path_rate must be at least 0 and below 1",
    f"stages: [{STAGE}]\nname: 5": "name must be text of at most 1,000 printable characters, got 5",
    f"stages: [{STAGE}]\n1: 5": "1: unknown field",
    f"stages: [{STAGE}]\nname: {'x' * 1001}": "at most 1,000 printable characters",
    f"stages: [{STAGE}]\nname: '\u2028'": "printable characters",
    f"stages: [{STAGE}]\nnum_classes: 1{'0' * 30}": "num_classes must be at most 1,000,000,000, got a number of",
    f"stages: [{STAGE}]\npatch_norm: !!bool zz": "not valid YAML",
}

MALFORMED_SPACES = {
    "stages: []": "stages must hold 1 to 6 stages",
    "name: x": "stages is missing",
    f"stages: [{KNOBS}]\nrules: [embed_dim rising]": "rules[0]: must be 'KNOB nondecreasing'",
    f"stages: [{KNOBS}]\nrules: ['stage 2: macs <= 0.5 budget']": "the space has stages 1 to 1",
    f"stages: [{KNOBS.replace('to: 3', 'to: 0')}]": "stages[0].depth: must rise",
    f"stages: [{KNOBS.replace('to: 3', 'to: 4, step: 2')}]": "must rise from 'from' to 'to' in whole steps",
    f"stages: [{KNOBS.replace('to: 3', 'too: 3')}]": "stages[0].depth.too: unknown field, did you mean 'to'?",
    f"stages: [{KNOBS.replace('to: 3', 'to: 3000000')}]": "has 3,000,000 values",
    f"stages: [{KNOBS.replace('[32, 64]', '[]')}]": "stages[0].embed_dim: needs at least one value",
    f"stages: [{KNOBS.replace('[32, 64]', '[32, 32]')}]": "embed_dim must not repeat a value",
    f"stages: [{KNOBS.replace('[32, 64]', '[32, -1]')}]": "stages[0].embed_dim: must hold integers above 0, got -1",
    f"stages: [{KNOBS.replace('head_dim: 32', 'head_dim: 32, num_heads: 1')}]": "exactly one of them",
    f"stages: [{KNOBS.replace('head_dim: 32, ', '')}]": "exactly one of them",
    f"stages: [{KNOBS.replace('mlp_ratio: 4', 'sr_ratio: 1')}]": "stages[0].mlp_ratio: is missing",
    f"stages: [{KNOBS.replace('mlp_ratio: 4', 'mlp_ratio: 4, sr_ratio: 0')}]": "sr_ratio must be an integer",
    f"stages: [{KNOBS}]\npool: [cls, maximum]": "pool must be cls or mean, got 'maximum'",
    f"stages: [{KNOBS}]\npool: [cls, cls]": "pool must not repeat a value",
    f"stages: [{KNOBS.replace('[32, 64]', '{from: 1, to: 9999}').replace('to: 3', 'to: 9999')}]": "combinations of one",
    f"stages: [{KNOBS}]\npool: maximum": "pool must be cls or mean, got 'maximum'",
    f"stages: [{KNOBS}]\nimage_size: big": "image_size: must be an integer, got 'big'",
    f"stages: [{KNOBS}]\nrules: 3": "rules: must be a list",
}  # fmt: skip


@given(config=configs())
def test_what_is_written_is_read_back_equal(config: PVTConfig) -> None:
    """A configuration survives plain values and JSON unchanged, whatever its parts."""
    assert config_from_dict(config_to_dict(config)) == config
    assert config_from_dict(json.loads(json.dumps(config_to_dict(config)))) == config


@pytest.mark.parametrize("name", [n for n, p in PRESETS.items() if isinstance(p.config, PVTConfig)])
def test_yaml_of_every_preset_is_read_back_equal(name: str, tmp_path: Path) -> None:
    """A preset dumped to YAML and loaded by its path is the preset."""
    config = PRESETS[name].config
    assert isinstance(config, PVTConfig)
    (tmp_path / "c.yaml").write_text(dump_config(config))
    assert load_config(tmp_path / "c.yaml") == config == load_config(name)


@pytest.mark.parametrize("hostile", ["</script><script>", "a: b", "'\"", "😀", "0x10", "null", "on", "z" * 200])
def test_a_hostile_name_survives_yaml(hostile: str, tmp_path: Path) -> None:
    """Whatever a name holds, it is text and comes back as it was."""
    config = config_from_dict({**config_to_dict(PRESETS["pvt_tiny"].config), "name": hostile})  # type: ignore[arg-type]
    (tmp_path / "c.yaml").write_text(dump_config(config), encoding="utf-8")
    assert load_config(tmp_path / "c.yaml") == config


@pytest.mark.parametrize(("text", "problem"), MALFORMED_CONFIGS.items())
def test_malformed_configurations_are_refused_in_one_line(text: str, problem: str, tmp_path: Path) -> None:
    """The error names the file, the key, the value and the law."""
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        load_config(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert problem in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("text", "problem"), MALFORMED_SPACES.items())
def test_malformed_spaces_are_refused_in_one_line(text: str, problem: str, tmp_path: Path) -> None:
    """The error names the file, the key, the value and the law."""
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        load_space(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert problem in str(caught.value)
    assert "\n" not in str(caught.value)


def test_knobs_take_values_lists_and_ranges() -> None:
    """A value stands for itself, a range includes its end, sr_ratio and pool_size are one union, parts may be lists."""
    space = space_from_dict(
        {
            "patch_embed": ["plain", "overlap"],
            "pool": "mean",
            "rules": ["embed_dim nondecreasing", {"stage 1": "macs <= 0.5 budget"}],
            "stages": [
                {"patch_size": 4, "embed_dim": [32, 64], "depth": {"from": 1, "to": 5, "step": 2}, "num_heads": [1, 2],
                 "mlp_ratio": [1.5, 4], "sr_ratio": [1, 2], "pool_size": 7},
            ],
        }
    )  # fmt: skip
    knobs = space.stages[0]
    assert knobs.patch_size == (4,)
    assert knobs.depth == (1, 3, 5)
    assert knobs.attention == (SpatialReduction(1), SpatialReduction(2), PooledReduction(7))
    assert space.network == {"patch_embed": ("plain", "overlap"), "pool": ("mean",)}
    assert space.rules == (TrendRule("embed_dim", "nondecreasing"), ShareRule(1, "macs", "<=", 0.5))
    assert {template.norm_stages for template in space.templates} == {"last", "every"}


def test_unknown_names_are_refused_with_the_nearest() -> None:
    """A misspelt preset or space is answered with the one that was meant."""
    with pytest.raises(InputError, match="did you mean 'pvt_small'"):
        load_config("pvt_smal")
    with pytest.raises(InputError, match="did you mean 'pvt_v1'"):
        load_space("pvtv1")
    with pytest.raises(InputError, match="cannot be read: No such file"):
        load_config("missing.yaml")


def test_a_configuration_without_a_name_gets_its_files(tmp_path: Path) -> None:
    """Two files without names inside are told apart by their own."""
    (tmp_path / "mine.yaml").write_text(f"stages: [{STAGE}]")
    assert load_config(tmp_path / "mine.yaml").name == "mine"


def test_binary_and_huge_files_are_refused(tmp_path: Path) -> None:
    """Neither a picture nor a gigabyte is parsed."""
    (tmp_path / "b.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="not UTF-8"):
        load_config(tmp_path / "b.yaml")
    (tmp_path / "h.yaml").write_text("#" * 1_000_001)
    with pytest.raises(InputError, match="larger than"):
        load_config(tmp_path / "h.yaml")


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    """Where writing fails the old file stays and nothing else is left behind."""
    path = tmp_path / "f.txt"
    write_whole(path, "old")
    with pytest.raises(UnicodeEncodeError):
        write_whole(path, "new \ud800")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
