"""Dense tasks: neck and heads in closed form == counted. What the papers print of them: test_reproduction."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, get_args

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_spaces import every_config
from strategies import dense_cases
from torch import Tensor, nn

from pvtsearch.analysis.baselines import network_cost
from pvtsearch.analysis.counted import count_macs_on_meta, count_params
from pvtsearch.analysis.dense import head_cost_of_levels, level_cost
from pvtsearch.analysis.formula import formula
from pvtsearch.analysis.metrics import Costing, analytic_cost
from pvtsearch.analysis.table import head_costs
from pvtsearch.cli import run
from pvtsearch.config import DenseTask, PVTConfig, ResNetConfig, SpatialReduction, StageConfig, Task
from pvtsearch.cost import Budget
from pvtsearch.errors import ConfigError, InputError
from pvtsearch.geometry import Grid
from pvtsearch.heads import DENSE_HEADS, DETRHead, MaskRCNNHead, RetinaNetHead, SemanticFPNHead
from pvtsearch.models.baselines import build_model
from pvtsearch.models.dense import build_dense
from pvtsearch.models.pvt import build_pvt
from pvtsearch.presets import PRESETS, V1_PRESETS, V2_PRESETS
from pvtsearch.published import PUBLISHED_DENSE
from pvtsearch.search.decode import Decoder
from pvtsearch.search.problem import Problem, StageLimit
from pvtsearch.space import SearchSpace, StageKnobs
from pvtsearch.verification import Case, verify

DENSE_TASKS: tuple[DenseTask, ...] = get_args(DenseTask)
REGIONS = MaskRCNNHead().region_shapes

# Parameters and MACs at the papers' sizes, 800x1280 and 512x512. Parameters round to the printed ones; MACs are half of
# what torch's FlopCounterMode counts. The papers' GFLOPs add biases and norms: test_reproduction has them.
GOLDEN = {
    ("pvt_tiny", "retinanet"): (22_964_724, 221_010_749_440),
    ("pvt_tiny", "mask_rcnn"): (32_882_160, 239_565_296_640),
    ("pvt_tiny", "semantic_fpn"): (16_981_398, 33_189_527_552),
    ("pvt_small", "retinanet"): (34_221_300, 285_662_013_440),
    ("pvt_small", "mask_rcnn"): (44_138_736, 304_216_560_640),
    ("pvt_small", "semantic_fpn"): (28_237_974, 44_474_302_464),
    ("pvt_large", "retinanet"): (71_104_756, 474_778_429_440),
    ("pvt_large", "mask_rcnn"): (81_022_192, 493_332_976_640),
    ("pvt_large", "semantic_fpn"): (65_121_430, 79_528_198_144),
    ("pvt_v2_b0", "retinanet"): (12_947_028, 177_514_547_200),
    ("pvt_v2_b0", "mask_rcnn"): (23_446_096, 195_698_160_640),
    ("pvt_v2_b0", "semantic_fpn"): (7_545_334, 24_982_585_344),
    ("pvt_v2_b2", "retinanet"): (35_099_828, 290_167_613_440),
    ("pvt_v2_b2", "mask_rcnn"): (45_017_264, 308_722_160_640),
    ("pvt_v2_b2", "semantic_fpn"): (29_116_502, 45_627_736_064),
    ("pvt_v2_b2_li", "retinanet"): (32_290_484, 226_653_263_872),
    ("pvt_v2_b2_li", "mask_rcnn"): (42_207_920, 245_207_811_072),
    ("pvt_v2_b2_li", "semantic_fpn"): (26_307_158, 40_841_818_112),
    ("pvt_v2_b5", "retinanet"): (91_692_980, 537_682_749_440),
    ("pvt_v2_b5", "mask_rcnn"): (101_610_416, 556_237_296_640),
    ("pvt_v2_b5", "semantic_fpn"): (85_709_654, 90_853_343_232),
    ("pvt_small", "detr"): (41_647_968, 147_216_384_000),
    ("pvt_v2_b2", "detr"): (42_526_496, 151_721_984_000),
    ("resnet50", "detr"): (41_577_888, 96_876_544_000),
    ("resnet50", "retinanet"): (37_968_692, 238_536_058_880),
    ("resnet50", "mask_rcnn"): (44_396_336, 259_316_208_640),
    ("resnet50", "semantic_fpn"): (28_495_574, 44_291_850_240),
    ("resnext101_64x4d", "retinanet"): (95_866_932, 470_599_034_880),
    ("resnext101_64x4d", "mask_rcnn"): (102_294_576, 491_379_184_640),
    ("resnext101_64x4d", "semantic_fpn"): (86_393_814, 103_699_972_096),
}


def size_of(task: DenseTask) -> tuple[int, int]:
    return (512, 512) if task == "semantic_fpn" else (800, 1280)


def inputs_after_the_image(task: Task) -> tuple[tuple[int, ...], ...]:
    return REGIONS if task == "mask_rcnn" else ()


@pytest.mark.parametrize(("name", "task"), GOLDEN)
def test_golden_table(name: str, task: DenseTask) -> None:
    """Parameters and MACs of the table, in closed form and counted on the meta device."""
    config = PRESETS[name].config
    cost = network_cost(config, size_of(task), task).total
    assert (cost.params, cost.macs) == GOLDEN[name, task]
    with torch.device("meta"):
        module = build_model(config, task=task, attention="explicit")
    assert count_params(module) == cost.params
    assert count_macs_on_meta(module, size_of(task), 3, inputs_after_the_image(task)) == cost.macs


@given(dense_cases())
@settings(max_examples=40, deadline=None)
def test_closed_form_is_counted(case: Case) -> None:
    """Parameters and MACs of any network of four stages, its sizes odd: closed form == counted on the meta device."""
    config, image_size, task = case
    cost = network_cost(config, image_size, task).total
    with torch.device("meta"):
        module = build_model(config, task=task)
    assert cost.params == count_params(module)
    assert cost.macs == count_macs_on_meta(module, image_size, config.in_chans, inputs_after_the_image(task))


SMALL = PVTConfig(
    name="small", stages=tuple(StageConfig(size, 4, 1, 1, 2) for size in (3, 1, 2, 3)), image_size=41, in_chans=2
)


@pytest.mark.parametrize("task", DENSE_TASKS)
@pytest.mark.parametrize(
    "config", [SMALL, ResNetConfig(name="r", block="basic", depths=(1, 1, 1, 1))], ids=lambda config: str(config.name)
)
def test_every_operator_is_counted(config: PVTConfig | ResNetConfig, task: DenseTask) -> None:
    """By fvcore too, operator by operator, for strides and sizes that do not divide."""
    result = verify(config, image_size=(41, 66), task=task)
    assert result.differences == ()
    assert ("upsample_nearest2d" in [check.quantity for check in result.checks]) == (task != "detr")


@pytest.mark.slow
@pytest.mark.parametrize("task", DENSE_TASKS)
@pytest.mark.parametrize("name", [*V1_PRESETS, *V2_PRESETS, "resnet18", "resnet50", "resnext101_32x4d"])
def test_every_operator_is_counted_on_presets(name: str, task: DenseTask) -> None:
    """What `pvtsearch verify NAME --task TASK --image-size 97x65` does."""
    assert verify(PRESETS[name].config, image_size=(97, 65), task=task).differences == ()


class Maps(nn.Module):
    """A backbone of four given maps, so that heads of any size can be counted alone."""

    def __init__(self, channels: Sequence[int], grids: Sequence[Grid]) -> None:
        super().__init__()
        self.shapes = [(1, c, grid.height, grid.width) for c, grid in zip(channels, grids, strict=True)]

    def forward(self, images: Tensor) -> list[Tensor]:
        return [torch.empty(shape, device=images.device) for shape in self.shapes]


widths = st.integers(1, 9)
HEADS = st.one_of(
    st.builds(RetinaNetHead, channels=widths, num_anchors=widths, num_classes=widths),
    st.builds(
        MaskRCNNHead,
        channels=widths,
        num_anchors=widths,
        num_classes=widths,
        proposals=widths,
        box_side=widths,
        box_width=widths,
        detections=widths,
        mask_side=widths,
        mask_depth=widths,
    ),
    st.builds(SemanticFPNHead, channels=widths, head_channels=widths, num_classes=widths),
    st.builds(
        lambda heads, each, **sizes: DETRHead(num_heads=heads, width=4 * heads * each, **sizes),
        heads=st.integers(1, 3),
        each=st.integers(1, 3),
        mlp_width=widths,
        encoder_depth=st.integers(1, 2),
        decoder_depth=st.integers(1, 2),
        num_queries=widths,
        num_classes=widths,
    ),
)
GRIDS = st.lists(st.builds(Grid, st.integers(1, 19), st.integers(1, 19)), min_size=4, max_size=4)


@given(HEADS, st.lists(widths, min_size=4, max_size=4), GRIDS)
@settings(max_examples=40, deadline=None)
def test_heads_of_any_size_are_counted(head: Any, channels: list[int], grids: list[Grid]) -> None:
    """Closed form == counted for heads of all sizes on maps of all grids, finer and coarser in any order."""
    cost = head_cost_of_levels(head, channels, grids)
    with torch.device("meta"):
        module = build_dense(Maps(channels, grids), channels, head)
    regions = head.region_shapes if isinstance(head, MaskRCNNHead) else ()
    assert cost.params == count_params(module)
    assert cost.macs == count_macs_on_meta(module, (1, 1), 1, regions)


@given(dense_cases())
@settings(max_examples=30, deadline=None)
def test_stages_are_those_of_the_backbone(case: Case) -> None:
    """A dense task changes the head only, and `num_classes` of the configuration means nothing to it."""
    config, image_size, task = case
    cost = network_cost(config, image_size, task)
    assert cost.stages == network_cost(config, image_size, "backbone").stages
    assert cost.head.params > 0


@pytest.mark.parametrize("task", DENSE_TASKS)
def test_arrays_of_levels_cost_what_each_level_costs(task: DenseTask) -> None:
    """One call on an array of widths == a call per width."""
    channels = np.array([8, 24, 256])
    for index in range(4):
        together = level_cost(DENSE_HEADS[task], index, channels, Grid(7, 5))
        for place, width in enumerate(channels):
            alone = level_cost(DENSE_HEADS[task], index, int(width), Grid(7, 5))
            assert np.broadcast_to(together.macs, 3)[place] == alone.macs
            assert np.broadcast_to(together.params, 3)[place] == alone.params


@pytest.mark.parametrize("task", DENSE_TASKS)
@pytest.mark.parametrize("name", ["deit_tiny", "three"])
def test_other_numbers_of_stages_are_refused(name: str, task: DenseTask) -> None:
    """`ConfigError` in one line, by the closed form and by building alike."""
    three = PVTConfig(name="three", stages=SMALL.stages[:3], image_size=41)
    config = three if name == "three" else PRESETS[name].config
    with pytest.raises(ConfigError, match=f"task {task} needs a network of 4 stages, got") as closed:
        network_cost(config, (64, 64), task)
    with pytest.raises(ConfigError) as built:
        build_model(config, task=task)
    assert str(closed.value) == str(built.value)
    assert "\n" not in str(built.value)


def test_trans2seg_is_refused_with_the_reason(capsys: pytest.CaptureFixture[str]) -> None:
    """In Python and on the command line, in one line; an unknown task is refused with the known ones."""
    for call in (partial(network_cost, SMALL, (64, 64)), partial(build_model, SMALL), partial(formula, SMALL)):
        with pytest.raises(ConfigError, match="task trans2seg is not built: PVT v1 does not print its sizes"):
            call(task="trans2seg")
        with pytest.raises(ConfigError, match=r"task must be classification or .* or detr, got 'trans'"):
            call(task="trans")
    for command in ("profile", "formula", "verify"):
        assert run([command, "pvt_small", "--task", "trans2seg"]) == 2
        complaint = capsys.readouterr().err
        assert "'--task': task trans2seg is not built" in complaint
        assert complaint.count("\n") == 1


def test_build_pvt_leaves_dense_tasks_to_build_model() -> None:
    """A task with neck and heads is refused in one line, not built as something else."""
    with pytest.raises(ConfigError, match="task must be classification or backbone, got 'retinanet'"):
        build_pvt(SMALL, task="retinanet")  # type: ignore[call-overload]


def test_outputs_have_the_shapes_of_their_docstrings() -> None:
    """Anchors of P3 to P7; levels P2 to P6 and given regions; scores on the grid of the first map."""
    images = torch.zeros(2, 3, 64, 96)
    config = ResNetConfig(name="r", block="basic", depths=(1, 1, 1, 1))
    with torch.no_grad():
        detected = build_model(config, task="retinanet").eval()(images)
        anchors = 9 * (8 * 12 + 4 * 6 + 2 * 3 + 1 * 2 + 1 * 1)
        assert [detected[key].shape for key in ("cls_logits", "bbox_regression")] == [(2, anchors, 80), (2, anchors, 4)]
        regions = (torch.zeros(5, 256, 7, 7), torch.zeros(3, 256, 14, 14))
        found = build_model(config, task="mask_rcnn").eval()(images, *regions)
        assert [level.shape for level in found["objectness"]] == [
            (2, 3, h, w) for h, w in ((16, 24), (8, 12), (4, 6), (2, 3), (1, 2))
        ]
        assert [found[key].shape for key in ("scores", "boxes", "masks")] == [(5, 81), (5, 320), (3, 80, 28, 28)]
        assert build_model(config, task="semantic_fpn").eval()(images).shape == (2, 150, 16, 24)


def test_p6_comes_from_c5_even_where_c5_is_as_wide_as_the_pyramid() -> None:
    """torchvision's own block takes P5 there (PVTv2-B0 has 256 channels in C5); the official configurations do not."""
    module = build_dense(Maps([8, 8, 8, 256], [Grid(8, 8)] * 4), [8, 8, 8, 256], RetinaNetHead())
    c5, p5 = torch.ones(1, 256, 4, 4), torch.zeros(1, 256, 4, 4)
    extra: Any = module.neck.extra_blocks
    levels, _names = extra([p5], [c5], ["p5"])
    assert torch.equal(levels[1], extra.p6(c5))
    assert torch.equal(levels[2], extra.p7(extra.p6(c5)))


def test_every_pyramid_row_is_there() -> None:
    """11 pyramids and 5 ResNets in 3 tasks; v1's detectors and the ResNets' on two schedules, one row of 320k steps."""
    keys = [(row.network, row.task, row.schedule) for row in PUBLISHED_DENSE]
    assert len(set(keys)) == len(keys) == 2 * 9 * 2 + 9 + 1 + 3 * 7
    for task in set(DENSE_TASKS) - {"detr"}:  # of which the papers print neither parameters nor GFLOPs
        assert set(V1_PRESETS + V2_PRESETS) < {network for network, its_task, _ in keys if its_task == task}


def knobs(embed_dim: tuple[int, ...], depth: tuple[int, ...] = (1,)) -> StageKnobs:
    return StageKnobs((2,), embed_dim, depth, (2,), (SpatialReduction(1),), num_heads=(1,))


FOUR = SearchSpace(
    stages=(knobs((4, 8)), knobs((8, 12), (1, 2)), knobs((8,), (1, 3)), knobs((4, 16))), name="four", image_size=40
)


def reached(problem: Problem) -> dict[PVTConfig, dict[str, int]]:
    """Every configuration that a walk meets, with its cost."""
    decoder = Decoder(problem)
    walked = (decoder.decode(decoder.encode(path)) for path in decoder.walk(np.random.default_rng(0)))
    return {each.config: dict(each.cost) for each in walked}


@pytest.mark.parametrize("task", DENSE_TASKS)
def test_a_search_limits_the_whole_of_a_dense_task(task: DenseTask) -> None:
    """What a walk reaches == what brute force finds within a limit on neck, heads and backbone; costs are exact."""
    size = (40, 37)
    configs = every_config(FOUR, size)
    costs = {config: analytic_cost(config, size, task) for config in configs}
    budget = Budget({"macs": sorted(cost["macs"] for cost in costs.values())[len(configs) // 2]})
    found = reached(Problem(FOUR, size, task, budget))
    assert found == {config: cost for config, cost in costs.items() if budget.admits(cost)}


def test_limits_on_a_stage_leave_out_neck_and_heads() -> None:
    """A share of the budget for stage 4 means the stage that `profile` shows, as for a backbone."""
    limit = StageLimit(3, "macs", 0, 5_000)
    backbones = reached(Problem(FOUR, (40, 40), "backbone", stage_limits=(limit,)))
    detectors = reached(Problem(FOUR, (40, 40), "retinanet", stage_limits=(limit,)))
    assert set(backbones) == set(detectors)
    assert 0 < len(backbones) < len(every_config(FOUR, (40, 40)))


def test_a_search_refuses_another_number_of_stages() -> None:
    """`ConfigError`, before anything is drawn."""
    three = SearchSpace(stages=FOUR.stages[:3], image_size=40)
    with pytest.raises(ConfigError, match="task retinanet needs a network of 4 stages, got 3"):
        Problem(three, (40, 40), "retinanet")


def test_costs_of_heads_stay_exact() -> None:
    """Where neck and heads would pass 64 bits the search is refused, as for stages."""
    moves = FOUR.moves(FOUR.templates[0], 0, FOUR.start((2 * 10**7, 2 * 10**7)))
    with pytest.raises(InputError, match="beyond exact 64-bit integers"):
        head_costs(FOUR.templates[0], 0, FOUR.options[0], next(iter(moves)), task="semantic_fpn", costing=Costing())
