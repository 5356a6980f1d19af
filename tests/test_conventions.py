"""Conventions: what other sources would state, counted on built modules by mmcv's rules, written here a second time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, get_args

import numpy as np
import pytest
import sympy
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import cases
from torch import Tensor, nn
from torchvision.models.detection.faster_rcnn import TwoMLPHead
from torchvision.models.detection.rpn import RPNHead

from pvtsearch.analysis.baselines import network_cost
from pvtsearch.analysis.closed_form import cost_on_grids
from pvtsearch.analysis.conventions import MEANINGS, Convention, stated_operations
from pvtsearch.analysis.counted import count_macs_on_meta
from pvtsearch.analysis.layers import LayerCost, layer_norm
from pvtsearch.analysis.profile import profile
from pvtsearch.config import DenseTask, ImageSize, ModelConfig, PVTConfig, ResNetConfig, Task
from pvtsearch.errors import ConfigError
from pvtsearch.geometry import Grid
from pvtsearch.heads import MaskRCNNHead
from pvtsearch.models.attention import ReducedAttention
from pvtsearch.models.baselines import build_model
from pvtsearch.models.dense import ScaleHead
from pvtsearch.presets import PRESETS
from pvtsearch.verification import Case, draw_case


class Hooks:
    """mmcv 1.x's counter: a hook on every module of the types it knows, and the official closed form of attention."""

    def __init__(self, model: nn.Module) -> None:
        self.seen: Counter[str] = Counter()
        self.keys: dict[nn.Module, int] = {}
        of_proposals = {part for head in model.modules() if isinstance(head, RPNHead) for part in head.modules()}
        for module in model.modules():
            if isinstance(module, nn.ReLU) and module in of_proposals:
                continue  # a function in mmdetection, a module in torchvision
            for kind, count in self.counters.items():
                if isinstance(module, kind):
                    module.register_forward_hook(count)

    @property
    def counters(self) -> Mapping[type[nn.Module], Any]:
        return {
            nn.Conv2d: self.conv,
            nn.ConvTranspose2d: self.transposed,
            nn.Linear: self.linear,
            nn.ReLU: self.relu,
            nn.MaxPool2d: self.max_pool,
            nn.AdaptiveAvgPool2d: self.average_pool,
            nn.BatchNorm2d: self.batch_norm,
            nn.LayerNorm: self.layer_norm,
            TwoMLPHead: self.two_relus,
            ScaleHead: self.upsamplings,
            ReducedAttention: self.attention,
        }

    def conv(self, module: nn.Conv2d, inputs: tuple[Tensor], output: Tensor) -> None:
        positions = output.numel() // module.out_channels
        self.seen["conv"] += module.weight.numel() * positions
        self.seen["conv_bias"] += output.numel() if module.bias is not None else 0

    def transposed(self, module: nn.ConvTranspose2d, inputs: tuple[Tensor], output: Tensor) -> None:
        self.seen["conv"] += module.weight.numel() * (inputs[0].numel() // module.in_channels)
        self.seen["conv_bias"] += output.numel() if module.bias is not None else 0

    def linear(self, module: nn.Linear, inputs: tuple[Tensor], output: Tensor) -> None:
        self.seen["linear"] += inputs[0].numel() * module.out_features
        self.keys[module] = inputs[0].numel() // module.in_features

    def relu(self, module: nn.ReLU, inputs: tuple[Tensor], output: Tensor) -> None:
        self.seen["relu"] += output.numel()

    def two_relus(self, module: TwoMLPHead, inputs: tuple[Tensor], output: Tensor) -> None:
        self.seen["relu"] += 2 * output.numel()  # functions in torchvision, modules in mmdetection

    def max_pool(self, module: nn.MaxPool2d, inputs: tuple[Tensor], output: Tensor) -> None:
        self.seen["max_pool2d"] += inputs[0].numel()

    def average_pool(self, module: nn.AdaptiveAvgPool2d, inputs: tuple[Tensor], output: Tensor) -> None:
        self.seen["adaptive_avg_pool2d"] += inputs[0].numel()

    def upsamplings(self, module: ScaleHead, inputs: tuple[Tensor, list[Tensor]], output: Tensor) -> None:
        """A function here, nn.Upsample in the mmsegmentation that the papers used: once per finer grid."""
        self.seen["upsample"] += sum(output.shape[1] * finer.shape[2] * finer.shape[3] for finer in inputs[1])

    def batch_norm(self, module: nn.BatchNorm2d, inputs: tuple[Tensor], output: Tensor) -> None:
        self.seen["batch_norm"] += 2 * inputs[0].numel()

    def layer_norm(self, module: nn.LayerNorm, inputs: tuple[Tensor], output: Tensor) -> None:
        self.seen["layer_norm"] += 2 * inputs[0].numel()

    def attention(self, module: ReducedAttention, inputs: tuple[Tensor, Grid], output: Tensor) -> None:
        tokens, grid = inputs
        class_token = tokens.shape[1] - grid.tokens
        keys = self.keys[module.kv] - class_token
        self.seen["attention"] += 2 * grid.height * grid.width * keys * tokens.shape[2]


def hooked(config: ModelConfig, image_size: ImageSize, task: Task) -> Counter[str]:
    """What the hooks see of one image on the meta device."""
    with torch.device("meta"), torch.no_grad():
        model = build_model(config, task=task, attention="explicit").eval()
        hooks = Hooks(model)
        regions = MaskRCNNHead().region_shapes if task == "mask_rcnn" else ()
        model(torch.empty(1, config.in_chans, *image_size), *(torch.empty(shape) for shape in regions))
    return hooks.seen


def terms(cost: LayerCost) -> Counter[str]:
    """The closed form's counterparts."""
    names = ("conv", "conv_bias", "linear", "relu", "max_pool2d", "adaptive_avg_pool2d", "upsample", "batch_norm")
    found = {name: getattr(cost, name) for name in names}
    found["layer_norm"] = cost.layer_norm * 2 // 5
    found["attention"] = cost.matmul - cost.class_token_matmul
    return Counter(found)


def assert_every_convention(config: ModelConfig, image_size: ImageSize, task: Task) -> None:
    """Each term == counted, and the totals == their sums by the rules."""
    cost = network_cost(config, image_size, task).total
    seen = hooked(config, image_size, task)
    assert +terms(cost) == +seen
    modules = seen.total() - seen["layer_norm"] - (seen["batch_norm"] if task == "semantic_fpn" else 0)
    assert stated_operations(cost, "paper_v1", task) == modules
    assert stated_operations(cost, "paper_v2", task) == modules + seen["layer_norm"]


@given(cases())
@settings(max_examples=40, deadline=None)
def test_the_papers_rules_on_every_pyramid(case: Case) -> None:
    """paper_v1 and paper_v2 == hooks on the built module, term by term; odd sizes, classification and backbone."""
    assert_every_convention(case.config, case.image_size, case.task)


@given(st.data())
@settings(max_examples=20, deadline=None)
def test_the_papers_rules_on_dense_tasks(data: st.DataObject) -> None:
    """The same with necks and heads."""
    tasks = [task for task in get_args(DenseTask) if task != "detr"]
    case = draw_case(lambda options: data.draw(st.sampled_from(options)), stage_counts=(4,), tasks=tasks)
    assert_every_convention(case.config, case.image_size, case.task)


def test_the_papers_have_no_rule_for_detr() -> None:
    """They print no operations of it; the other conventions hold for every task."""
    cost = network_cost(PRESETS["pvt_tiny"].config, (64, 64), "detr").total
    assert stated_operations(cost, "flops", "detr") == 2 * cost.macs
    with pytest.raises(ConfigError, match="the papers print no GFLOPs of detr"):
        stated_operations(cost, "paper_v2", "detr")


@pytest.mark.parametrize("task", [task for task in get_args(Task) if task != "detr"])
@pytest.mark.parametrize("block", ["basic", "bottleneck"])
def test_the_papers_rules_on_resnets(block: Any, task: Task) -> None:
    """The same for ResNets, whose pooling and BatchNorm they see."""
    assert_every_convention(ResNetConfig(name="r", block=block, depths=(1, 2, 1, 1)), (67, 93), task)


# At 224x224, 800x1280 and 512x512; held against hooks above. In print, "GFLOPs": pvt_v2_b2 4.04 (official README) by
# paper_v2; in RetinaNet resnet50 239.3 and pvt_small 285.8 (PVT v1, Table 11) by paper_v1, pvt_v2_b2_li 227.4 (PVT v2,
# Table 6) by paper_v2; in Mask R-CNN pvt_small 304.4 (PVT v1, Table 10) by paper_v1.
GOLDEN: dict[tuple[str, Task], tuple[int, int, int, int, int]] = {
    ("pvt_small", "classification"): (3_815_701_504, 3_832_983_104, 3_815_914_816, 3_822_827_456, 7_631_403_008),
    ("pvt_v2_b2", "classification"): (4_026_734_592, 4_045_817_152, 4_037_086_528, 4_044_719_552, 8_053_469_184),
    ("deit_small", "classification"): (4_598_882_304, 4_608_338_304, 4_595_335_680, 4_599_118_080, 9_197_764_608),
    ("resnet50", "classification"): (4_089_184_256, 4_111_512_576, 4_121_924_096, 4_121_924_096, 8_178_368_512),
    ("resnet50", "retinanet"): (238_536_058_880, 238_994_810_880, 239_316_500_520, 239_316_500_520, 477_072_117_760),
    ("pvt_small", "retinanet"): (285_662_013_440, 286_048_637_440, 285_786_903_080, 285_926_807_080, 571_324_026_880),
    ("pvt_v2_b2_li", "retinanet"): (
        226_653_263_872,
        227_065_419_072,
        227_206_837_352,
        227_357_773_032,
        453_306_527_744,
    ),
    ("pvt_small", "mask_rcnn"): (304_216_560_640, 304_619_568_640, 304_382_347_700, 304_522_251_700, 608_433_121_280),
    ("resnet50", "semantic_fpn"): (44_291_850_240, 44_451_299_328, 44_371_279_872, 44_371_279_872, 88_583_700_480),
    ("pvt_v2_b2", "semantic_fpn"): (45_627_736_064, 45_770_752_000, 45_706_854_400, 45_746_733_056, 91_255_472_128),
}


@pytest.mark.parametrize(("name", "task"), GOLDEN)
def test_golden_table(name: str, task: Task) -> None:
    """macs, fvcore, paper_v1, paper_v2, flops."""
    size = {"classification": (224, 224), "semantic_fpn": (512, 512)}.get(task, (800, 1280))
    cost = network_cost(PRESETS[name].config, size, task).total
    assert tuple(stated_operations(cost, convention, task) for convention in get_args(Convention)) == GOLDEN[name, task]


def test_fvcore_and_flops_are_other_peoples_totals() -> None:
    """fvcore's total is the sum of its operators, which `verify` holds against fvcore; FLOPs are torch's, 2 per MAC."""
    config = PRESETS["pvt_v2_b0"].config
    one = profile(config, image_size=64, convention="fvcore")
    assert one.stated_operations == sum(one.by_operator.values())
    with torch.device("meta"):
        model = build_model(config, attention="explicit")
    doubled = profile(config, image_size=64, convention="flops").stated_operations
    assert doubled == 2 * count_macs_on_meta(model, (64, 64), 3)


def test_a_class_token_is_left_out_of_attention_only() -> None:
    """N + 1 tokens in the linear layers, N in the products: PVT v1's last stage, ViT."""
    cost = network_cost(PRESETS["pvt_tiny"].config, (224, 224)).total
    assert cost.class_token_matmul == 2 * 2 * 512 * (50 * 50 - 49 * 49)
    assert network_cost(PRESETS["pvt_tiny"].config, (224, 224), "backbone").total.class_token_matmul == 0


def test_conventions_go_on_arrays_and_symbols() -> None:
    """A convention of an array of costs == an array of conventions, and of symbols, evaluated, == of numbers."""
    widths = np.array([8, 24])
    together = stated_operations(layer_norm(widths, tokens=9), "paper_v2", "classification")
    assert together.tolist() == [2 * 8 * 9, 2 * 24 * 9]
    config = PRESETS["pvt_v2_b0"].config
    assert isinstance(config, PVTConfig)
    height, width = sympy.symbols("h w", integer=True, positive=True)
    symbolic = cost_on_grids(config, config.grids_of(Grid(32 * height, 32 * width)), "classification").total
    for convention in get_args(Convention):
        formula = stated_operations(symbolic, convention, "classification")
        number = stated_operations(network_cost(config, (64, 96)).total, convention, "classification")
        assert formula.subs({height: 2, width: 3}) == number


def test_fvcore_does_not_see_what_it_does_not_count() -> None:
    """Biases, ReLUs, plain pooling and module upsampling stay out of `by_operator`."""
    counts = network_cost(PRESETS["resnet18"].config, (64, 64), "semantic_fpn").total
    assert counts.relu
    assert counts.conv_bias
    assert set(counts.by_operator()) == {"conv", "batch_norm", "upsample_bilinear2d", "upsample_nearest2d"}


def test_every_convention_says_what_it_means() -> None:
    """And another is refused; what was not asked for is absent."""
    assert tuple(MEANINGS) == get_args(Convention)
    with pytest.raises(ConfigError, match="convention must be macs or fvcore"):
        profile(PRESETS["pvt_tiny"].config, convention="gflops")  # type: ignore[arg-type]
    assert "stated_operations" not in profile(PRESETS["pvt_tiny"].config).to_dict()
