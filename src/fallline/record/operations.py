"""What the recorder knows about operations, as plain names; readable without PyTorch."""

from __future__ import annotations

# Operations that only rearrange a tensor: a parameter seen through them is still that parameter.
VIEWS = frozenset(
    (
        "t transpose permute view unsafeview reshapealias expand unsqueeze squeeze clone tocopy slice select "
        "split unsafesplit chunk unbind alias contiguous"
    ).split()
)
# Elementwise activations with the largest slope they can have (None: unbounded).
ACTIVATIONS: dict[str, float | None] = {
    "relu": 1.0, "sigmoid": 0.25, "tanh": 1.0, "gelu": 1.13, "elu": 1.76, "silu": 1.1, "leakyrelu": 1.0,
    "softplus": 1.0, "hardtanh": 1.0, "hardswish": 1.5, "hardsigmoid": 1 / 6, "logsigmoid": 1.0, "mish": 1.09,
    "threshold": 1.0, "clamp": 1.0, "clampmin": 1.0, "exp": None, "sin": 1.0, "cos": 1.0, "prelukernel": None,
    "softshrink": 1.0, "hardshrink": 1.0, "celu": 1.0,
}  # fmt: skip
# Activations that are flat on both sides, or smoothly so.
SATURATING = ("sigmoid", "tanh", "hardtanh", "hardsigmoid", "softplus", "logsigmoid")
# Operations whose slope is infinite or undefined somewhere in (or at the edge of) their domain.
SINGULAR = frozenset(
    (
        "sqrt rsqrt log log2 log10 log1p div reciprocal pow linalgvectornorm norm acos asin acosh atanh std var "
        "cdist exp tan logit xlogy"
    ).split()
)
# The slopes of activations that are linear piece by piece: their own slope is zero.
PIECEWISE = {
    "thresholdbackward": "relu", "leakyrelubackward": "leaky_relu",
    "hardtanhbackward": "hardtanh", "prelukernelbackward": "prelu",
}  # fmt: skip
EDGED = frozenset(("sqrt", "pow", "acos", "asin"))  # those with a value where they have no slope
# Operations that multiply data by a weight: the names under which their inputs are saved for backward.
LAYERS: dict[str, tuple[str, ...]] = {
    "mm": ("self", "mat2"), "bmm": ("self", "mat2"), "mv": ("self", "vec"), "addmm": ("self", "mat1", "mat2"),
    "addmv": ("self", "mat", "vec"), "baddbmm": ("self", "batch1", "batch2"), "linear": ("input", "weight", "bias"),
    "trilinear": ("i1", "i2", "i3"),
}  # fmt: skip
LAYER_FAMILIES = ("conv", "linear", "embedding", "rnn", "lstm", "gru")  # so their variants' names contain
LOSSES = {
    "mseloss": "mse", "nllloss": "nll", "nllloss2d": "nll", "binarycrossentropy": "bce",
    "binarycrossentropywithlogits": "bce-logits", "smoothl1loss": "smooth-l1", "huberloss": "huber",
    "softmarginloss": "soft-margin",
}  # fmt: skip
REGRESSION = ("mse", "l1", "smooth-l1", "huber")
NORMS = ("pow", "abs", "norm", "linalgvectornorm")  # what a penalty on the weights makes of each of them
FLAT = 0.05  # an activation is at its flat end where its slope is below this share of its largest slope
STREAK = 5  # measured batches in a row without any gradient before a unit counts as dead
