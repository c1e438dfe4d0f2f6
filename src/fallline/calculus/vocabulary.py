"""The names of PyTorch's operations for a person, and the rules of their derivatives as a textbook writes them."""

from __future__ import annotations

NAMES = {
    "add": "addition", "sub": "subtraction", "rsub": "subtraction", "mul": "multiplication", "div": "division",
    "neg": "negation", "pow": "power", "square": "square", "sqrt": "square root", "rsqrt": "1 / square root",
    "reciprocal": "reciprocal", "exp": "exponential", "log": "logarithm", "log1p": "logarithm of 1 + x",
    "abs": "absolute value", "sin": "sine", "cos": "cosine", "sum": "sum", "mean": "mean", "prod": "product",
    "var": "variance", "std": "standard deviation", "max": "maximum", "min": "minimum", "where": "choice",
    "mm": "matrix product", "bmm": "batch of matrix products", "mv": "matrix times vector", "dot": "dot product",
    "addmm": "matrix product plus bias", "addmv": "matrix times vector plus bias", "linear": "matrix product",
    "baddbmm": "batch of matrix products plus bias", "convolution": "convolution", "embedding": "embedding",
    "mkldnnrnnlayer": "recurrent layer", "cudnnrnn": "recurrent layer", "t": "transpose", "transpose": "transpose",
    "permute": "permutation of axes", "view": "reshape", "unsafeview": "reshape", "reshapealias": "reshape",
    "expand": "repetition", "unsqueeze": "new axis", "squeeze": "axis dropped", "select": "selection",
    "slice": "slice", "cat": "concatenation", "stack": "stack", "split": "split", "unsafesplit": "split",
    "chunk": "split", "unbind": "split", "clone": "copy", "tocopy": "copy in another type", "alias": "the same",
    "copyslices": "write into a part", "asstrided": "view of memory", "index": "indexing", "gather": "gather",
    "relu": "ReLU", "leakyrelu": "leaky ReLU", "elu": "ELU", "silu": "SiLU", "gelu": "GELU", "softplus": "softplus",
    "hardtanh": "hard tanh", "clamp": "clamping", "clampmin": "clamping", "sigmoid": "sigmoid", "tanh": "tanh",
    "softmax": "softmax", "logsoftmax": "log of softmax", "nllloss": "negative log likelihood",
    "mseloss": "mean squared error", "l1loss": "mean absolute error", "smoothl1loss": "smooth L1 loss",
    "huberloss": "Huber loss", "binarycrossentropy": "binary cross entropy",
    "binarycrossentropywithlogits": "binary cross entropy on logits", "nativebatchnorm": "batch normalisation",
    "nativelayernorm": "layer normalisation", "nativegroupnorm": "group normalisation",
    "maxpool2dwithindices": "max pooling", "avgpool2d": "average pooling", "meanpool": "average pooling",
    "scaleddotproductflashattentionforcpu": "attention", "scaleddotproductefficientattention": "attention",
    "maskedfill": "masking",
}  # fmt: skip

# Derivatives of one output by each of its inputs: a and b are the inputs, y is the output, n a constant.
RULES = {
    "add": ("1", "1"), "sub": ("1", "−1"), "mul": ("{b}", "{a}"), "div": ("1/{b}", "−{a}/{b}²"), "neg": ("−1",),
    "exp": ("{y}",), "log": ("1/{a}",), "sqrt": ("1/(2·{y})",), "sin": ("cos {a}",), "cos": ("−sin {a}",),
    "sigmoid": ("{y}·(1 − {y})",), "tanh": ("1 − {y}²",), "reciprocal": ("−1/{a}²",),
}  # fmt: skip


def human(operation: str, short: str) -> str:
    """The name of an operation; its own where the vocabulary has none.

    Args:
        operation: as PyTorch names its backward, "ReluBackward0".
        short: the same without its tail and in small letters, "relu".
    """
    family = short.removeprefix("mkldnn").removeprefix("cudnn").rstrip("0123456789d")
    return NAMES.get(short) or NAMES.get(family) or operation.partition("Backward")[0]
