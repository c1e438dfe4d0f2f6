r"""The chain rule written out for stacks of dense layers, without autograd, into buffers that are kept.

With ``z_l = a_{l-1} W_lᵀ + b_l`` and ``a_l = φ(z_l)`` the factors are multiplied from the loss back to the input:

.. math:: δ_l = \frac{∂L}{∂z_l} = (δ_{l+1} W_{l+1}) ⊙ φ'(z_l), \qquad
          \frac{∂L}{∂W_l} = δ_lᵀ a_{l-1}, \qquad \frac{∂L}{∂b_l} = \sum_i δ_{l,i}

(Rumelhart, Hinton and Williams 1986). All parameters lie in one tensor, and all gradients in another, so that
an optimizer that moves each number by itself does so in one operation.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Adam, AdamW, Optimizer
from torch.optim.optimizer import _global_optimizer_post_hooks, _global_optimizer_pre_hooks

from fallline.descent.optimizers import ELEMENTWISE, make_optimizer
from fallline.descent.step import NotFinite
from fallline.objective.loss import LOSSES, Loss
from fallline.record.loop import Link, LoopRecorder

ALIGNED = 16  # numbers that a parameter's place in the flat tensor is a multiple of: one cache line
aten = torch.ops.aten

Backward = Callable[[Tensor, Tensor, Tensor, Tensor], Any]  # ∂L/∂a, z, a, out ← ∂L/∂z


@dataclass(frozen=True, slots=True)
class Activation:
    """An elementwise function and its derivative."""

    name: str  # as the record calls it
    forward: Callable[[Tensor, Tensor], Any]  # z, out ← φ(z)
    backward: Backward
    by_result: bool  # φ' is told from φ(z), so z may be overwritten


def _activation(module: nn.Module) -> Activation | None:
    """How this module is computed; None for one that is not served."""
    kind = type(module)
    make = ACTIVATIONS.get(kind)
    return make(module) if make is not None else None


def _leaky(module: Any) -> Activation | None:
    slope = module.negative_slope
    if slope <= 0:
        return None
    return Activation(
        "leakyrelu",
        lambda z, out: aten.leaky_relu.out(z, slope, out=out),
        lambda g, z, a, out: aten.leaky_relu_backward.grad_input(g, a, slope, True, grad_input=out),
        True,
    )


def _elu(alpha: float, scale: float) -> Activation:
    return Activation(
        "elu",
        lambda z, out: aten.elu.out(z, alpha, scale, 1.0, out=out),
        lambda g, z, a, out: aten.elu_backward.grad_input(g, alpha, scale, 1.0, True, a, grad_input=out),
        True,
    )


def _gelu(module: Any) -> Activation:
    how = module.approximate
    return Activation(
        "gelu",
        lambda z, out: aten.gelu.out(z, approximate=how, out=out),
        lambda g, z, a, out: aten.gelu_backward.grad_input(g, z, approximate=how, grad_input=out),
        False,
    )


def _softplus(module: Any) -> Activation:
    beta, threshold = module.beta, module.threshold
    return Activation(
        "softplus",
        lambda z, out: aten.softplus.out(z, beta, threshold, out=out),
        lambda g, z, a, out: aten.softplus_backward.grad_input(g, z, beta, threshold, grad_input=out),
        False,
    )


RELU = Activation(
    "relu",
    lambda z, out: torch.clamp_min(z, 0, out=out),
    lambda g, z, a, out: aten.threshold_backward.grad_input(g, a, 0, grad_input=out),
    True,
)
SIGMOID = Activation(
    "sigmoid",
    lambda z, out: torch.sigmoid(z, out=out),
    lambda g, z, a, out: aten.sigmoid_backward.grad_input(g, a, grad_input=out),
    True,
)
TANH = Activation(
    "tanh",
    lambda z, out: torch.tanh(z, out=out),
    lambda g, z, a, out: aten.tanh_backward.grad_input(g, a, grad_input=out),
    True,
)
SILU = Activation(
    "silu",
    lambda z, out: aten.silu.out(z, out=out),
    lambda g, z, a, out: aten.silu_backward.grad_input(g, z, grad_input=out),
    False,
)
SELU = (1.6732632423543772848170429916717, 1.0507009873554804934193349852946)  # α and scale (Klambauer et al. 2017)
ACTIVATIONS: dict[type[nn.Module], Callable[[Any], Activation | None]] = {
    nn.ReLU: lambda module: RELU,
    nn.Sigmoid: lambda module: SIGMOID,
    nn.Tanh: lambda module: TANH,
    nn.SiLU: lambda module: SILU,
    nn.LeakyReLU: _leaky,
    nn.ELU: lambda module: _elu(module.alpha, 1.0) if module.alpha > 0 else None,
    nn.SELU: lambda module: _elu(*SELU),
    nn.GELU: _gelu,
    nn.Softplus: _softplus,
}


# -- losses ------------------------------------------------------------------------------------------------------------


def _cross_entropy(z: Tensor, y: Tensor, grad: Tensor, work: Tensor) -> float:
    """∂L/∂z = (softmax(z) − onehot(y)) / n."""
    aten._log_softmax.out(z, 1, False, out=work)
    value, weight = aten.nll_loss_forward(work, y, None, 1, -100)
    aten.nll_loss_backward.grad_input(_one(z), work, y, None, 1, -100, weight, grad_input=grad)
    aten._log_softmax_backward_data.out(grad, work, 1, z.dtype, out=grad)
    return float(value)


def _bce(z: Tensor, y: Tensor, grad: Tensor, work: Tensor) -> float:
    """∂L/∂z = (σ(z) − y) / n."""
    work.copy_(y.view_as(work))
    value = aten.binary_cross_entropy_with_logits(z, work, None, None, 1)
    torch.sigmoid(z, out=grad)
    grad.sub_(work).mul_(1.0 / z.numel())
    return float(value)


def _mse(z: Tensor, y: Tensor, grad: Tensor, work: Tensor) -> float:
    """∂L/∂z = 2 (z − y) / n."""
    torch.sub(z, y.view_as(z), out=work)
    flat = work.view(-1)
    torch.mul(work, 2.0 / z.numel(), out=grad)
    return float(torch.dot(flat, flat)) / z.numel()


def _l1(z: Tensor, y: Tensor, grad: Tensor, work: Tensor) -> float:
    """∂L/∂z = sign(z − y) / n."""
    torch.sub(z, y.view_as(z), out=work)
    torch.sign(work, out=grad)
    grad.mul_(1.0 / z.numel())
    return float(work.abs_().mean())


def _smooth_l1(z: Tensor, y: Tensor, grad: Tensor, work: Tensor) -> float:
    """∂L/∂z = (z − y) / n, limited to ±1 / n."""
    target = y.view_as(z)
    torch.sub(z, target, out=work)
    torch.clamp(work, -1.0, 1.0, out=grad)
    grad.mul_(1.0 / z.numel())
    return float(aten.smooth_l1_loss(z, target))


_ONES: dict[torch.dtype, Tensor] = {}


def _one(like: Tensor) -> Tensor:
    one = _ONES.get(like.dtype)
    if one is None:
        one = _ONES[like.dtype] = torch.ones((), dtype=like.dtype)
    return one


Gradient = Callable[[Tensor, Tensor, Tensor, Tensor], float]  # z, y, grad ← ∂L/∂z, memory to work in; gives the loss
GRADIENTS: dict[str, Gradient] = {
    "cross_entropy": _cross_entropy, "bce_with_logits": _bce, "mse": _mse, "l1": _l1, "smooth_l1": _smooth_l1,
}  # fmt: skip


# -- the stack --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Layer:
    """A dense layer with its memory: gradients as views of one flat tensor."""

    weight: Tensor  # (units, fan_in)
    bias: Tensor | None  # (units,)
    weight_grad: Tensor
    bias_grad: Tensor | None
    activation: Activation | None


@dataclass(frozen=True, slots=True)
class Buffers:
    """Memory for one size of a batch."""

    z: list[Tensor]  # (n, units) of each layer; where φ' is told from φ(z), the same memory as ``a``
    a: list[Tensor]
    grad: list[Tensor]  # (n, units) ∂L/∂a, and in the end ∂L/∂z
    work: Tensor  # of the size of the output


def served(model: nn.Module, loss_name: str, loss: Loss, x: Tensor, y: Tensor) -> bool:
    """Whether the chain rule of this training is written out here."""
    if loss is not LOSSES.get(loss_name) or loss_name not in GRADIENTS or type(model) is not nn.Sequential:
        return False
    parameters = list(model.parameters())
    plain = all(p.is_cpu and p.dtype == x.dtype and p.requires_grad and not p._backward_hooks for p in parameters)
    if not plain or x.ndim != 2 or not x.is_cpu or len({id(p) for p in parameters}) != len(parameters):
        return False
    structure = _structure(model)
    if structure is None:
        return False
    width = structure[-1][0].out_features
    if loss_name == "cross_entropy":
        return y.ndim == 1 and not y.is_floating_point()
    return y.numel() == len(y) * width


def _structure(model: nn.Sequential) -> list[tuple[nn.Linear, nn.Module | None]] | None:
    """The layers with the activation after each; None where something else stands between them."""
    found: list[tuple[nn.Linear, nn.Module | None]] = []
    for module in model:
        if module._forward_hooks or module._forward_pre_hooks or module._backward_hooks:
            return None
        if type(module) is nn.Linear:
            found.append((module, None))
        elif not found or found[-1][1] is not None or _activation(module) is None:
            return None
        else:
            found[-1] = (found[-1][0], module)
    return found or None


class DenseStep:
    """Updates of a stack of dense layers by the chain rule written out.

    While it lives, the parameters of ``model`` are views of one flat tensor, until :meth:`release`.
    """

    def __init__(
        self, model: nn.Module, loss_name: str, name: str, lr: float | None, options: dict[str, Any],
        clip: float | None, recorder: LoopRecorder | None,
    ) -> None:  # fmt: skip
        assert isinstance(model, nn.Sequential)
        self.model, self.clip, self.recorder = model, clip, recorder
        self.loss, self.gradient = LOSSES[loss_name], GRADIENTS[loss_name]
        self.parameters = list(model.parameters())
        self.flat, self.flat_grad = _flatten(self.parameters)
        self.layers = _layers(model)
        together = name.lower() in ELEMENTWISE
        self.optimizer = make_optimizer(name, [self.flat] if together else self.parameters, lr, options)
        self.recorded = make_optimizer(name, self.parameters, lr, options)  # the record names every parameter
        self._quick = _Quick(self.optimizer, self.flat, self.flat_grad) if together else None
        self._buffers: dict[int, Buffers] = {}

    def __call__(self, x: Tensor, y: Tensor) -> float:
        recorder = self.recorder
        measured = recorder is not None and recorder.measures
        with torch.no_grad():
            value = self._descend(x, y, measured)
        if recorder is None:
            return value
        rate = float(self.optimizer.param_groups[0]["lr"])
        if measured:
            recorder.stepped(value, rate)
        else:
            recorder.note(value, rate)
        return value

    def _descend(self, x: Tensor, y: Tensor, measured: bool) -> float:
        buffers = self._buffers.get(len(x)) or self._make_buffers(len(x))
        self._forward(x, buffers)
        value = self.gradient(buffers.a[-1], y, buffers.grad[-1], buffers.work)
        if not math.isfinite(value):
            self._report(x, y, value)
        links = self._backward(x, buffers, measured)
        if links is not None and self.recorder is not None:
            with torch.enable_grad():
                shadow = self.loss(self.model(x), y)  # what autograd would have seen, for the record
            self.recorder.weigh(shadow, links, [(p, p.grad) for p in self.parameters])
        if self.clip is not None:
            norm = float(torch.linalg.vector_norm(self.flat_grad))
            self.flat_grad.mul_(min(1.0, self.clip / (norm + 1e-6)))
        if self._quick is None:
            self.optimizer.step()
        else:
            self._quick.step()
        return value

    def _make_buffers(self, count: int) -> Buffers:
        z, a, grad = [], [], []
        for layer in self.layers:
            shape = (count, layer.weight.shape[0])
            z.append(layer.weight.new_empty(shape))
            separate = layer.activation is not None and not layer.activation.by_result
            a.append(layer.weight.new_empty(shape) if separate else z[-1])
            grad.append(layer.weight.new_empty(shape))
        buffers = self._buffers[count] = Buffers(z, a, grad, torch.empty_like(grad[-1]))
        return buffers

    def _forward(self, x: Tensor, buffers: Buffers) -> None:
        before = x
        for layer, z, a in zip(self.layers, buffers.z, buffers.a, strict=True):
            if layer.bias is None:
                torch.mm(before, layer.weight.t(), out=z)
            else:
                torch.addmm(layer.bias, before, layer.weight.t(), out=z)
            if layer.activation is not None:
                layer.activation.forward(z, a)
            before = a

    def _backward(self, x: Tensor, buffers: Buffers, measured: bool) -> list[Link] | None:
        """Gradients of all parameters, from ∂L/∂a of the last layer; the factors where they are measured."""
        links: list[Link] = []
        for place in range(len(self.layers) - 1, -1, -1):
            layer, grad = self.layers[place], buffers.grad[place]
            activated = grad
            if layer.activation is not None:
                activated = grad.clone() if measured else grad
                layer.activation.backward(activated, buffers.z[place], buffers.a[place], grad)
            before = buffers.a[place - 1] if place else x
            torch.mm(grad.t(), before, out=layer.weight_grad)
            if layer.bias_grad is not None:
                torch.sum(grad, 0, out=layer.bias_grad)
            if place:
                torch.mm(grad, layer.weight, out=buffers.grad[place - 1])
            if measured:
                passed = buffers.grad[place - 1].clone() if place else None
                name = layer.activation.name if layer.activation is not None else ""
                links.append(Link(layer.weight, before, grad, passed, name, activated if name else None))
        return links[::-1] if measured else None

    def _report(self, x: Tensor, y: Tensor, value: float) -> None:
        if self.recorder is not None:
            with torch.enable_grad():
                shadow = self.loss(self.model(x), y)
            gradients = [(p, p.grad) for p in self.parameters if p.grad is not None]
            self.recorder.broken(shadow, value, gradients if self.recorder.step else [])
            self.recorder.note(value, float(self.optimizer.param_groups[0]["lr"]))
        raise NotFinite(value)

    def release(self) -> None:
        """Give every parameter memory of its own."""
        for parameter in self.parameters:
            parameter.data = parameter.detach().clone()
            parameter.grad = None


def _flatten(parameters: list[nn.Parameter]) -> tuple[nn.Parameter, Tensor]:
    """One tensor for all parameters and one for their gradients; the parameters become views."""
    sizes = [-(-p.numel() // ALIGNED) * ALIGNED for p in parameters]
    flat = parameters[0].detach().new_zeros(sum(sizes))
    grads = torch.zeros_like(flat)
    begin = 0
    for parameter, size in zip(parameters, sizes, strict=True):
        view = flat[begin : begin + parameter.numel()].view(parameter.shape)
        view.copy_(parameter.detach())
        parameter.data = view
        parameter.grad = grads[begin : begin + parameter.numel()].view(parameter.shape)
        begin += size
    whole = nn.Parameter(flat)
    whole.grad = grads
    return whole, grads


def _layers(model: nn.Sequential) -> list[Layer]:
    found = []
    for linear, module in _structure(model) or ():
        bias: Tensor | None = linear.bias
        assert linear.weight.grad is not None
        activation = _activation(module) if module is not None else None
        bias_grad = bias.grad if bias is not None else None
        found.append(Layer(linear.weight, bias, linear.weight.grad, bias_grad, activation))
    return found


class _Quick:
    """Steps of an optimizer over one tensor, without what torch does around the kernel where that does nothing.

    Of Adam and AdamW the fused kernel is called with the optimizer's own state, so each step gives what
    ``optimizer.step()`` gives; every other optimizer steps as it is.
    """

    def __init__(self, optimizer: Optimizer, flat: nn.Parameter, grad: Tensor) -> None:
        self.optimizer, self.flat, self.grad = optimizer, flat, grad
        kinds = {Adam: torch._fused_adam_, AdamW: torch._fused_adamw_}
        self._kernel = kinds.get(type(optimizer)) if optimizer.param_groups[0].get("fused") else None

    def step(self) -> None:
        """One step."""
        optimizer = self.optimizer
        state = optimizer.state.get(self.flat)
        hooked = _global_optimizer_pre_hooks or _global_optimizer_post_hooks
        if self._kernel is None or not state or hooked:
            optimizer.step()
            return
        group = optimizer.param_groups[0]
        state["step"] += 1
        most = [state["max_exp_avg_sq"]] if group["amsgrad"] else []
        beta1, beta2 = group["betas"]
        self._kernel(
            [self.flat], [self.grad], [state["exp_avg"]], [state["exp_avg_sq"]], most, [state["step"]],
            amsgrad=group["amsgrad"], lr=group["lr"], beta1=beta1, beta2=beta2, weight_decay=group["weight_decay"],
            eps=group["eps"], maximize=group["maximize"], grad_scale=None, found_inf=None,
        )  # fmt: skip
