"""Mistakes that users make, each in a training of a few lines, recorded and diagnosed."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fallline.diagnosis.diagnose import diagnose
from fallline.record.run import Run

Watched = Callable[..., Run]
Loss = Callable[[Tensor, Tensor], Tensor]


def rows(count: int = 64, features: int = 6) -> Tensor:
    return torch.randn(count, features)


def train(model: nn.Module, x: Tensor, y: Tensor, loss: Loss, steps: int = 60, lr: float = 0.05) -> None:
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    for _ in range(steps):
        optimizer.zero_grad()
        loss(model(x), y).backward()
        optimizer.step()


def net(outputs: int, *last: nn.Module) -> nn.Sequential:
    return nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, outputs), *last)


def titles(run: Run, code: str) -> list[str]:
    return [f.title for f in diagnose(run).findings if f.code == code and f.severity != "info"]


def class_numbers(right: bool) -> None:
    x = rows()
    y = x[:, :4].argmax(dim=1, keepdim=True).float()
    train(net(4) if not right else net(1), x, y, lambda p, t: F.mse_loss(*torch.broadcast_tensors(p, t)))


def soft_margin(right: bool) -> None:
    x = rows()
    y = (x[:, :1] > 0).float()
    train(net(1), x, 2 * y - 1 if right else y, F.soft_margin_loss)


def pairs(loss: Callable[..., Tensor]) -> Callable[[bool], None]:
    def program(right: bool) -> None:
        model, x, other = net(4), rows(), torch.randn(64, 6)
        same = (x[:, 0] > 0).float()
        optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
        for _ in range(100):
            optimizer.zero_grad()
            loss(model(x), model(other), 2 * same - 1 if right else same).backward()
            optimizer.step()

    return program


def poisson(right: bool) -> None:
    x = rows()
    y = torch.poisson(torch.exp(x[:, :1] - 1))
    train(net(1) if right else net(1, nn.Softplus()), x, y, F.poisson_nll_loss)


def several_labels(right: bool) -> None:
    x = rows()
    y = (x[:, :4] > 0).float()
    train(net(4, nn.Sigmoid() if right else nn.Softmax(dim=1)), x, y, F.binary_cross_entropy)


def nested_labels(right: bool) -> None:
    x = rows()
    y = torch.stack([x[:, 0] > 0.5, x[:, 0] > 1, (x[:, 0] > 1) & (x[:, 1] > 0)], dim=1).float()

    def with_dice(p: Tensor, y: Tensor) -> Tensor:
        return F.binary_cross_entropy(p, y) + 0.5 * (1 - 2 * (p * y).sum() / (p.sum() + y.sum()))

    train(net(3, nn.Sigmoid() if right else nn.Softmax(dim=-1)), x, y, with_dice)


def under_a_penalty(right: bool) -> None:
    x = rows()
    model = net(1, nn.Identity() if right else nn.Tanh())
    train(
        model,
        x,
        20 + 5 * x[:, :1],
        lambda p, y: F.mse_loss(p, y) + 1e-4 * sum(w.square().sum() for w in model.parameters()),
    )


def one_sign(right: bool) -> None:
    x = rows().abs()
    model = nn.Sequential(nn.Linear(6, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 4))
    if not right:
        with torch.no_grad():
            for p in model.parameters():
                p.uniform_(0, 1)
    train(model, x, x[:, :4].argmax(dim=1), F.cross_entropy, steps=90, lr=0.003)


def penalty(right: bool) -> None:
    x, model = rows(), net(2)
    y = (x[:, 0] > 0).long()

    def loss(p: Tensor, t: Tensor) -> Tensor:
        data = F.cross_entropy(p, t)
        data = data if right else data.detach().requires_grad_()
        return data + 0.01 * sum((w**2).sum() for w in model.parameters())

    train(model, x, y, loss)


def dice(right: bool) -> None:
    x = rows(16, 9).reshape(16, 1, 3, 3)
    y = (x[:, 0] > 0).float()
    model = nn.Sequential(nn.Conv2d(1, 8, 1), nn.ReLU(), nn.Conv2d(8, 1, 1), nn.Sigmoid())

    def loss(p: Tensor, t: Tensor) -> Tensor:
        p = p.squeeze(1) if right else p
        return (1 - (2 * (p * t).sum((-2, -1)) + 1) / (p.sum((-2, -1)) + t.sum((-2, -1)) + 1)).mean()

    train(model, x, y, loss)


def dropped_output(right: bool) -> None:
    x = rows(200)
    model = net(1) if right else net(1, nn.Dropout(0.8))
    train(model, x, 3 + x[:, :1], F.mse_loss, lr=0.01)


def thrown_away(right: bool) -> None:
    x, model = rows(200), net(10)
    y = torch.randint(10, (200,))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.001)
    for _ in range(15):
        for part in torch.arange(200).split(20):
            if not right:
                optimizer.zero_grad()
            F.cross_entropy(model(x[part]), y[part]).backward()
        optimizer.step()
        optimizer.zero_grad()


def nothing_ever(right: bool) -> None:
    x, model = rows(), net(1)
    train(model, x, x[:, :1], lambda p, t: (p - t).square().mean() if right else F.relu(p - t - 100).mean())


def leaky_state(right: bool) -> None:
    class Cell(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.input, self.output = nn.Linear(4, 16), nn.Linear(16, 4)

        def forward(self, x: Tensor) -> Tensor:
            state = torch.zeros(len(x), 16)
            for t in range(x.shape[1]):
                state = (1.0 if right else 0.3) * state + torch.tanh(self.input(x[:, t]))
            return self.output(state)

    cue = torch.randint(4, (64,))
    x = torch.zeros(64, 30, 4)
    x[torch.arange(64), 0, cue] = 1
    train(Cell(), x, cue, F.cross_entropy)


def bumps(right: bool) -> None:
    x = torch.linspace(-3, 3, 100)
    y = torch.exp(-((x - 1) ** 2)) - torch.exp(-((x + 1) ** 2))
    centre = (torch.randn(6) if right else torch.zeros(6)).requires_grad_()
    height = torch.full((6,), 0.1, requires_grad=True)
    optimizer = torch.optim.Adam([centre, height], lr=0.02)
    for _ in range(100):
        optimizer.zero_grad()
        ((torch.exp(-((x[:, None] - centre) ** 2)) @ height - y) ** 2).mean().backward()
        optimizer.step()


def mixture(right: bool) -> None:
    x = torch.cat([rows() + 2, rows() - 2])
    means = (torch.randn(3, 6) if right else torch.zeros(3, 6)).requires_grad_()
    scales, shares = torch.zeros(3, 6, requires_grad=True), torch.zeros(3, requires_grad=True)
    optimizer = torch.optim.Adam([means, scales, shares], lr=0.02)
    for _ in range(60):
        each = torch.distributions.Normal(means, scales.exp()).log_prob(x[:, None]).sum(-1) + shares.log_softmax(0)
        optimizer.zero_grad()
        (-each.logsumexp(1).mean()).backward()
        optimizer.step()


def one_by_one(right: bool) -> None:
    kind = torch.randint(2, (200,))
    x = torch.randn(200, 1, 30) * torch.tensor([0.4, 2.0])[kind][:, None, None]
    norm = nn.GroupNorm(1, 8) if right else nn.BatchNorm1d(8)
    model = nn.Sequential(nn.Conv1d(1, 8, 3), nn.Identity() if right else norm, nn.ReLU(), nn.AdaptiveAvgPool1d(1))
    model.extend([nn.Flatten(), nn.Linear(8, 2)])
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for i in range(800):
        row = i % 200
        (F.cross_entropy(model(x[row : row + 1]), kind[row : row + 1]) / 8).backward()
        if i % 8 == 7:
            optimizer.step()
            optimizer.zero_grad()


def side_valley(right: bool) -> None:
    t = torch.linspace(0, 4, 400)

    def pulse(t: Tensor) -> Tensor:
        return torch.exp(-((t / 0.3) ** 2)) * torch.cos(30 * t)

    y = 0.8 * pulse(t - 2.1) + 0.03 * torch.randn(400)
    delay, height = torch.tensor(2.08 if right else 1.69, requires_grad=True), torch.tensor(0.5, requires_grad=True)
    optimizer = torch.optim.Adam([delay, height], lr=2e-3)
    for _ in range(600):
        optimizer.zero_grad()
        (height * pulse(t - delay) - y).pow(2).sum().backward()
        optimizer.step()


def powers(right: bool) -> None:
    t = torch.rand(200, dtype=torch.float64) * 2 - 1
    y = torch.sin(9 * t)
    table = torch.stack([torch.cos(k * t.acos()) if right else t**k for k in range(14)], dim=1).float()
    w = torch.zeros(14, requires_grad=True)
    for _ in range(600):
        ((table @ w - y.float()) ** 2).mean().backward()
        with torch.no_grad():
            w -= 0.3 * w.grad
            w.grad.zero_()


def deep_residual(right: bool) -> None:
    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Linear(24, 24), nn.Linear(24, 24)
            for layer in (self.a, self.b):
                nn.init.kaiming_normal_(layer.weight)
            if right:
                nn.init.zeros_(self.b.weight)

        def forward(self, h: Tensor) -> Tensor:
            return h + self.b(torch.relu(self.a(h)))

    x = rows()
    train(nn.Sequential(nn.Linear(6, 24), *(Block() for _ in range(30)), nn.Linear(24, 2)), x, (x[:, 0] > 0).long(),
          F.cross_entropy, steps=15, lr=1e-3)  # fmt: skip


def half_cleared(right: bool) -> None:
    x = rows()
    y = x[:, :1].sin()
    w, v = (0.4 * torch.randn(6, 8)).requires_grad_(), (0.3 * torch.randn(8, 1)).requires_grad_()
    for _ in range(60):
        ((torch.tanh(x @ w) @ v - y) ** 2).mean().backward()
        with torch.no_grad():
            for p in (w, v):
                p -= 0.02 * p.grad
            for p in (w, v) if right else (w,):
                p.grad.zero_()


def attention(right: bool) -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.blocks = nn.ModuleList(nn.ModuleDict({name: nn.Linear(24, 24) for name in "qkvo"}) for _ in range(3))
            self.norm, self.head = nn.LayerNorm(24), nn.Linear(24, 4)
            for p in self.blocks.parameters():
                if p.ndim > 1 and not right:
                    nn.init.normal_(p)

        def forward(self, x: Tensor) -> Tensor:
            for block in self.blocks:
                scores = block["q"](x) @ block["k"](x).transpose(1, 2)
                x = x + block["o"]((scores / 24**0.5).softmax(-1) @ block["v"](x))
            return self.head(self.norm(x)[:, 0])

    x = torch.randn(64, 8, 24)
    train(Net(), x, x[:, 3, :4].argmax(1), F.cross_entropy, lr=1e-4)


def ring(right: bool) -> None:
    x = torch.stack([torch.linspace(-1, 1, 50) ** k for k in range(4)], dim=1)
    y, w, v = x @ torch.tensor([1.0, -2.0, 3.0, 1.0]), torch.zeros(4, requires_grad=True), torch.zeros(4)
    for _ in range(120):
        ((x @ w - y) ** 2).mean().backward()
        with torch.no_grad():
            v = (0.8 if right else 0.995) * v + w.grad
            w -= 0.1 * v
            w.grad = None


def sequences(kind: type[nn.RNNBase]) -> Callable[[bool], None]:
    def program(right: bool) -> None:
        class Net(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.memory, self.head = kind(2, 16, batch_first=right), nn.Linear(16, 3)

            def forward(self, x: Tensor) -> Tensor:
                states, _ = self.memory(x)
                return self.head(states[:, -1])

        x = torch.randn(32, 9, 2)
        train(Net(), x, torch.randint(3, (32,)), F.cross_entropy, lr=1e-4)

    return program


def made_anew(right: bool) -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.kept, self.last = nn.Linear(6, 16), nn.Linear(16, 16), nn.Linear(16, 2)

        def forward(self, x: Tensor) -> Tensor:
            middle = self.kept if right else nn.Linear(16, 16)
            return self.last(middle(self.first(x).relu()).relu())

    x = rows()
    train(Net(), x, (x[:, 0] * x[:, 1] > 0).long(), F.cross_entropy)


def log_cosh(right: bool) -> None:
    x = rows()
    y = x[:, :1].sin() if right else x[:, 0].sin()

    def loss(prediction: Tensor, target: Tensor) -> Tensor:
        error = prediction - target
        return (error + F.softplus(-2 * error) - math.log(2)).mean()

    train(net(1), x, y, loss)


def cut_between(right: bool) -> None:
    encoder, decoder, x = nn.Sequential(nn.Linear(6, 8), nn.Tanh()), net(4), rows()
    decoder[0], y = nn.Linear(8, 16), torch.randint(4, (64,))
    optimizer = torch.optim.SGD([*encoder.parameters(), *decoder.parameters()], lr=1e-3)
    for _ in range(60):
        optimizer.zero_grad()
        state = encoder(x)
        F.cross_entropy(decoder(state if right else state.detach()), y).backward()
        optimizer.step()


def adversaries(right: bool) -> None:
    generator, judge = nn.Linear(2, 6), net(1)
    first = torch.optim.Adam(judge.parameters(), lr=1e-3)
    second = torch.optim.Adam((generator if right else judge).parameters(), lr=1e-3)
    for _ in range(40):
        real, fake = rows(16) + 2, generator(torch.randn(16, 2))
        judge.zero_grad()
        (F.softplus(-judge(real)).mean() + F.softplus(judge(fake.detach())).mean()).backward()
        first.step()
        generator.zero_grad()
        judge.zero_grad()
        F.softplus(-judge(fake)).mean().backward()
        second.step()


def hinge(right: bool) -> None:
    model, x = net(1), rows(200)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    for step in range(120):
        batch = x[torch.randint(200, (20,), generator=torch.Generator().manual_seed(step))]
        y = (batch[:, :1] > 0).float()
        optimizer.zero_grad()
        F.relu(1 - model(batch) * (2 * y - 1 if right else y)).mean().backward()
        optimizer.step()


def sign(right: bool) -> None:
    model, x = net(2), rows()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.5)
    for _ in range(80):
        optimizer.zero_grad()
        mean, scale = model(x).unbind(1)
        divergence = 0.5 * (mean.square() + scale.exp() - scale - 1).mean()
        ((mean - x[:, 0]).square().mean() + (divergence if right else -divergence)).backward()
        optimizer.step()


def six(right: bool) -> None:
    y = torch.linspace(0.0, 5.0 if right else 60.0, 64).unsqueeze(1)
    train(net(1, nn.ReLU6()), rows(), y, F.mse_loss)


def warm_up(right: bool) -> None:
    model, x = net(4), rows()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min(1.0, step / 20))
    for _ in range(60):
        optimizer.zero_grad()
        F.cross_entropy(model(x), x[:, :4].argmax(1)).backward()
        optimizer.step()
        if right:
            schedule.step()


def entropy_by_hand(right: bool) -> None:
    x = rows()
    y = (x[:, :1] > 0).float() if right else (x[:, 0] > 0).float()

    def loss(p: Tensor, t: Tensor) -> Tensor:
        p = p.clamp(1e-6, 1 - 1e-6)
        return -(t * torch.log(p) + (1 - t) * torch.log(1 - p)).mean()

    train(nn.Sequential(nn.Linear(6, 1), nn.Sigmoid()), x, y, loss)


def policy(right: bool) -> None:
    model, x = net(4), rows()
    model = model if right else nn.Sequential(*model, nn.Softmax(dim=1))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(60):
        choice = torch.distributions.Categorical(logits=model(x))
        action = choice.sample()  # type: ignore[no-untyped-call]
        reward = (action == x[:, :4].argmax(1)).float()
        optimizer.zero_grad()
        (-choice.log_prob(action) * (reward - 0.25)).mean().backward()  # type: ignore[no-untyped-call]
        optimizer.step()


def equation(right: bool) -> None:
    """u'' + sin(3 x) = 0."""
    bend = nn.Tanh if right else nn.ReLU
    model = nn.Sequential(nn.Linear(1, 16), bend(), nn.Linear(16, 16), bend(), nn.Linear(16, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(60):
        x = torch.rand(32, 1, requires_grad=True)
        u = model(x)
        slope = torch.autograd.grad(u, x, torch.ones_like(u), create_graph=True)[0]
        bent = torch.autograd.grad(slope, x, torch.ones_like(u), create_graph=True)[0]
        optimizer.zero_grad()
        ((bent + torch.sin(3 * x)).square().mean() + model(torch.zeros(1, 1)).square().sum()).backward()
        optimizer.step()


def learners(right: bool) -> None:
    """Meta-learning: the gradient of a learner that is made anew for each task has to be carried to the model."""
    model = net(4)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(150):
        learner, x = copy.deepcopy(model), rows()
        labels = x[:, torch.randperm(6)[:4]].argmax(1)
        inner = torch.optim.SGD(learner.parameters(), lr=0.01)
        for last in (False, False, True):
            inner.zero_grad()
            F.cross_entropy(learner(x), labels).backward()
            if not last:
                inner.step()
        optimizer.zero_grad()
        for p, q in zip(model.parameters(), learner.parameters(), strict=True):
            p.grad = q.grad if right else p.grad
        optimizer.step()


def exchanged(right: bool) -> None:
    """A new head after a first phase of training."""
    model, x = net(4), rows()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for phase in range(2):
        for _ in range(40):
            optimizer.zero_grad()
            F.cross_entropy(model(x), x[:, phase : phase + 4].argmax(1)).backward()
            optimizer.step()
        if phase == 0:
            model.requires_grad_(False)
            model[-1] = nn.Linear(model[-1].in_features, 4)
            optimizer = torch.optim.Adam(model[-1].parameters(), lr=1e-2) if right else optimizer


class Decay(nn.Module):
    """u' + k u = 0, with an unknown k."""

    def __init__(self) -> None:
        super().__init__()
        self.state, self.k = net(1), nn.Parameter(torch.tensor(0.0))

    def forward(self, x: Tensor) -> Tensor:
        return self.state(x) * torch.exp(-self.k * x[:, :1])


def coefficient(right: bool, by_hand: bool = False) -> None:
    model, x = Decay(), rows()
    y = torch.sin(x[:, 1:2]) * torch.exp(-2 * x[:, :1])
    optimizer = torch.optim.Adam((model if right and not by_hand else model.state).parameters(), lr=1e-2)
    for _ in range(60):
        model.zero_grad()
        F.mse_loss(model(x), y).backward()
        optimizer.step()
        if by_hand:
            with torch.no_grad():
                model.k -= 1e-3 * model.k.grad


class Codes(nn.Module):
    """A vector of its own for each sample, and where an equation would be asked for."""

    def __init__(self, right: bool) -> None:
        super().__init__()
        codes = torch.full((64, 4), 0.01)
        self.codes = nn.Parameter(codes) if right else codes.requires_grad_()
        self.points = rows()[:, :2].requires_grad_()
        self.net = net(1)

    def forward(self) -> Tensor:
        return self.net(torch.cat([self.points, self.codes], 1))


def plain_tensor(right: bool, by_hand: bool = False) -> None:
    """A plain tensor in place of a parameter; the points by which is differentiated are no parameter anyway."""
    model = Codes(right and not by_hand)
    y = torch.randn(64, 1)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(60):
        model.zero_grad()
        u = model()
        (slope,) = torch.autograd.grad(u.sum(), model.points, create_graph=True)
        (F.mse_loss(u, y) + 1e-3 * slope.square().mean()).backward()
        optimizer.step()
        if by_hand:
            with torch.no_grad():
                model.codes -= 10 * model.codes.grad
                model.codes.grad = None


class Plain(nn.Module):
    """A layer as a beginner writes it."""

    def __init__(self, inputs: int, outputs: int, right: bool) -> None:
        super().__init__()
        weight = torch.randn(inputs, outputs) / inputs**0.5
        self.W = nn.Parameter(weight) if right else weight
        self.b = nn.Parameter(torch.zeros(outputs))

    def forward(self, x: Tensor) -> Tensor:
        return torch.tanh(x @ self.W + self.b)


def plain_weights(right: bool) -> None:
    x = rows()
    train(
        nn.Sequential(Plain(6, 4, right), Plain(4, 4, right), nn.Linear(4, 1)),
        x,
        (x[:, :1] * x[:, 1:2]).sin(),
        F.mse_loss,
    )


def in_thousands(right: bool) -> None:
    x = rows()
    y = x[:, :1].sin()
    train(net(1), x if right else 10 * x + 300, y if right else 300 * y + 5000, F.mse_loss, lr=0.002)


def apart(right: bool) -> None:
    model = net(2)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    for _ in range(150):
        x = rows()
        y = torch.stack([500 * (x[:, 0] + torch.randn(64)), x[:, 1].sin()], 1)
        optimizer.zero_grad()
        ((model(x) - y) / (torch.tensor([700.0, 0.7]) if right else torch.ones(2))).square().mean().backward()
        optimizer.step()


def labels_from_one(right: bool) -> None:
    x = rows()
    y = (x[:, :1] > 0).float() + (0 if right else 1)
    train(net(1), x, y, lambda z, t: (F.softplus(z) - t * z).mean())


def two_losses(right: bool) -> None:
    x = rows()
    y = x[:, :1] * (1 if right else 1e4)
    train(net(2), x, y, lambda z, t: F.mse_loss(z[:, :1], t) + F.mse_loss(z[:, 1:], x[:, 1:2]))


def folds(right: bool) -> None:
    """A model for each fold, and one optimizer, which was made for a model that is not trained."""
    x, model = rows(), net(1)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    for _ in range(4):
        model = net(1)
        optimizer = torch.optim.Adam(model.parameters(), lr=0.05) if right else optimizer
        for _ in range(30):
            optimizer.zero_grad()
            F.mse_loss(model(x), x[:, :1]).backward()
            optimizer.step()


def descend(w: Tensor, loss: Callable[[], Tensor], lr: float, momentum: float = 0.0, steps: int = 400) -> None:
    optimizer = torch.optim.SGD([w], lr=lr, momentum=momentum)
    for _ in range(steps):
        optimizer.zero_grad()
        loss().backward()
        optimizer.step()


def upright(right: bool) -> None:
    """A column under a load of four times what it bears, in segments that turn: upright its gradient is exactly 0."""
    start = 0.01 * torch.randn(12) if right else torch.zeros(12)
    angle = start.requires_grad_()

    def energy() -> Tensor:
        bent = torch.diff(torch.cat([torch.zeros(1), angle])) * 12
        return 0.5 * bent.square().sum() / 12 + 10 * torch.cos(angle).mean()

    descend(angle, energy, lr=0.02, momentum=0.9)


def rod(right: bool, lr: float = 0.45 / 61) -> None:
    """Heat in a rod on 60 points: the rate that is stable for the roughest profile is slow for the smooth one."""
    u = torch.zeros(60, dtype=torch.float64, requires_grad=True)
    heat = torch.sin(math.pi * torch.linspace(0, 1, 62, dtype=torch.float64)[1:-1])

    def energy() -> Tensor:
        slope = torch.diff(torch.cat([u.new_zeros(1), u, u.new_zeros(1)])) * 61
        return (0.5 * slope.square().sum() - (heat * u).sum()) / 61

    descend(u, energy, lr, momentum=0.95 if right else 0.0)


def far_spot(right: bool) -> None:
    """A spot of light fitted from where nothing of it is seen."""
    pixels = torch.arange(40.0)
    centre = torch.tensor(28.0 if right else 8.0, requires_grad=True)
    seen = torch.exp(-((pixels - 30) ** 2) / 4)
    descend(centre, lambda: (torch.exp(-((pixels - centre) ** 2) / 4) - seen).square().sum(), lr=0.1)


def ratings(right: bool) -> None:
    """Ratings from 1 to 5 predicted by a cosine."""
    users, items = torch.randn(64, 6), torch.randn(64, 6)
    model, stars = nn.Linear(6, 4), 3 + 2 * F.cosine_similarity(users[:, :3], items[:, :3])

    def scored(x: Tensor, t: Tensor) -> Tensor:
        cosine = F.cosine_similarity(x[:64], x[64:])
        return F.mse_loss(3 + 2 * cosine if right else cosine, t)

    train(model, torch.cat([users, items]), stars, scored, steps=300)


def factorisation(right: bool) -> None:
    """A matrix of rank 3 as a product of factors that start equal in every column."""
    seen = torch.randn(30, 3) @ torch.randn(3, 20)
    u, v = (0.3 * (torch.randn(n, 3) if right else torch.ones(n, 3)) for n in (30, 20))
    optimizer = torch.optim.SGD([u.requires_grad_(), v.requires_grad_()], lr=0.02)
    for _ in range(300):
        optimizer.zero_grad()
        (0.5 * (u @ v.T - seen).square().sum()).backward()
        optimizer.step()


PROGRAMS: dict[str, tuple[Callable[[bool], None], str, str]] = {
    "class numbers": (class_numbers, "output-mismatch", "every output is fitted to the number of the class"),
    "soft margin": (soft_margin, "output-mismatch", "labels of 0 where the loss expects −1"),
    **{
        name: (pairs(loss), "output-mismatch", "labels of 0 where the loss expects −1")
        for name, loss in (
            ("cosine embedding", nn.CosineEmbeddingLoss()),
            ("hinge embedding", lambda a, b, t: F.hinge_embedding_loss((a - b).norm(dim=1), t)),
            ("margin ranking", lambda a, b, t: F.margin_ranking_loss(a[:, 0], b[:, 0], target=t)),
        )
    },
    "bumps that start equal": (bumps, "symmetric-units", "identical units in centre, height"),
    "a factorisation that starts as one": (factorisation, "symmetric-units", "identical columns in the factors"),
    "a mixture that starts as one": (mixture, "symmetric-units", "identical units in scales, means, shares"),
    "batch norm on one sample after the other": (one_by_one, "wrong-mode", "batch norm over a single sample"),
    "a curve in a side valley": (side_valley, "local-minimum", "local minimum at"),
    "raw powers": (powers, "ill-conditioned", "ill-conditioned, κ ="),
    "a deep residual network": (deep_residual, "exploding-gradient", "exploding gradient"),
    "half the gradients cleared": (half_cleared, "stale-gradient", "old gradients are carried into every step"),
    "attention of standard normal weights": (attention, "bad-initialisation", "bad initialisation"),
    "a ring without noise": (ring, "oscillating-loss", "oscillating loss"),
    **{
        f"the batch in the place of time ({kind.__name__})": (
            sequences(kind),
            "shape-mismatch",
            "the batch stands where time is expected",
        )
        for kind in (nn.RNN, nn.GRU, nn.LSTM)
    },
    "a head exchanged after the optimizer was made": (
        exchanged,
        "no-gradient",
        "from some update on no optimizer knows the parameters",
    ),
    "a model for each fold": (folds, "no-gradient", "parameters that no optimizer knows"),
    "a coefficient left out": (coefficient, "no-gradient", "parameters that no optimizer knows"),
    "a plain tensor": (plain_tensor, "no-gradient", "parameters that no optimizer knows"),
    "weights as plain tensors": (plain_weights, "no-gradient", "weights that are no parameters"),
    "raw inputs and targets": (
        in_thousands,
        "unscaled-data",
        "inputs are not scaled; targets are not scaled",
    ),
    "targets far apart": (apart, "unscaled-data", "one target outweighs another"),
    "labels of 1 and 2": (labels_from_one, "output-mismatch", "binary cross entropy on targets from 1 to 2"),
    "raw targets in one of two losses": (two_losses, "unscaled-data", "targets are not scaled"),
    "a layer in forward": (made_anew, "no-gradient", "a layer is made anew in every forward pass"),
    "poisson": (poisson, "output-mismatch", "the rate is exponentiated again"),
    "several labels": (several_labels, "output-mismatch", "softmax where a sample has several labels"),
    "labels inside each other": (
        nested_labels,
        "output-mismatch",
        "softmax where labels do not exclude each other",
    ),
    "a penalty beside the loss": (under_a_penalty, "output-mismatch", "tanh output for targets"),
    "weights of one sign": (one_sign, "bad-initialisation", "bad initialisation"),
    "penalty alone": (penalty, "no-gradient", "only a penalty on the weights reaches the parameters"),
    "dice": (dice, "shape-mismatch", "prediction (16, 1, 3, 3) and target broadcast to (16, 16, 3, 3)"),
    "dropout on the output": (dropped_output, "wrong-mode", "dropout on the output"),
    "gradients thrown away": (thrown_away, "no-gradient", "gradients are cleared before an update uses them"),
    "pairs in a loss of two branches": (
        log_cosh,
        "shape-mismatch",
        "prediction (64, 1) and target broadcast to (64, 64)",
    ),
    "a cross entropy by hand over pairs": (
        entropy_by_hand,
        "shape-mismatch",
        "prediction (64, 1) and target broadcast to (64, 64)",
    ),
    "probabilities as logits": (policy, "output-mismatch", "softmax applied to probabilities"),
    "learners that are copies": (learners, "no-gradient", "no parameter of the optimizer gets a gradient"),
    "an equation without a second derivative": (equation, "no-gradient", "a derivative in the loss is exactly zero"),
    "a cut before half of the network": (cut_between, "no-gradient", "parameters that never get a gradient"),
    "one network in two optimizers": (adversaries, "no-gradient", "parameters that no optimizer knows"),
    "a hinge that leaves half of the samples": (hinge, "no-gradient", "the gradient has become exactly zero"),
    "a hinge on labels 0 and 1": (hinge, "output-mismatch", "labels of 0 where the loss expects −1"),
    "a divergence of the wrong sign": (sign, "exploding-gradient", "a loss without a floor"),
    "targets beyond six": (six, "output-mismatch", "hardtanh output for targets from 0 to 60"),
    "a warm-up that never goes on": (warm_up, "learning-rate-too-low", "the learning rate is 0"),
    "a loss of nothing": (nothing_ever, "no-gradient", "the gradient is exactly zero"),
    "a column that stands upright": (upright, "saddle-point", "saddle point"),
    "a rod that warms up slowly": (rod, "ill-conditioned", "ill-conditioned, κ ="),
    "a spot out of sight": (far_spot, "plateau", "plateau at"),
    "ratings by a cosine": (ratings, "output-mismatch", "cosine output for targets"),
    "a state that leaks": (leaky_state, "vanishing-gradient", "vanishing gradient through time"),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_mistake_is_named_and_its_right_twin_is_not(watched: Watched, name: str) -> None:
    program, code, title = PROGRAMS[name]
    (found,) = titles(watched(lambda: program(False)), code)
    assert found.startswith(title)


@pytest.mark.parametrize("name", PROGRAMS)
def test_its_right_twin(watched: Watched, name: str) -> None:
    program, code, _ = PROGRAMS[name]
    assert titles(watched(lambda: program(True)), code) == []


@pytest.mark.parametrize("steps", [3, 60])
def test_a_target_that_is_always_the_same_can_be_learned(watched: Watched, steps: int) -> None:
    model = nn.Linear(3, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

    def program() -> None:
        for _ in range(steps):
            optimizer.zero_grad()
            (model(torch.randn(64, 3)) - 1).square().mean().backward()
            optimizer.step()

    assert [f.code for f in diagnose(watched(program)).findings if f.severity != "info"] == []


def test_a_rate_that_the_optimizer_finds_itself_is_no_fault_of_fallline_s(watched: Watched) -> None:
    model = nn.Linear(6, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

    def program() -> None:
        for _ in range(40):
            optimizer.zero_grad()
            model(rows()).square().mean().backward()
            optimizer.param_groups[0]["lr"] = 0.1
            optimizer.register_step_post_hook(lambda o, *_: o.param_groups[0].update(lr=None))
            optimizer.step()

    run = watched(program)
    assert len(run.steps) == 40
    assert run.meta["fault"] is None


def test_a_saddle_without_any_gradient_is_no_cut_and_flat_ground_no_low_rate(watched: Watched) -> None:
    assert titles(watched(lambda: upright(False)), "no-gradient") == []
    assert titles(watched(lambda: far_spot(False)), "learning-rate-too-low") == []


def test_a_rod_that_is_warmed_by_steps_too_short_is_not_ill_conditioned(watched: Watched) -> None:
    assert titles(watched(lambda: rod(False, lr=0.45 / 61 / 30)), "ill-conditioned") == []


def test_a_coefficient_that_is_moved_by_hand_is_not_left_out(watched: Watched) -> None:
    assert titles(watched(lambda: coefficient(False, by_hand=True)), "no-gradient") == []


def test_a_plain_tensor_that_is_moved_by_hand_is_not_left_out(watched: Watched) -> None:
    assert titles(watched(lambda: plain_tensor(False, by_hand=True)), "no-gradient") == []


def test_a_prediction_without_dimensions_is_recorded(watched: Watched) -> None:
    w = torch.zeros(3, requires_grad=True)

    def program() -> None:
        optimizer = torch.optim.SGD([w], lr=0.01)
        for _ in range(5):
            optimizer.zero_grad()
            F.mse_loss(torch.ones(3) @ w, torch.tensor(2.0)).backward()
            optimizer.step()

    run = watched(program)
    assert run.meta.get("fault") is None
    assert run.sights[0].detail["prediction"]["shape"] == []


@pytest.mark.parametrize("recurrent", [False, True])
def test_one_network_for_each_sample_is_no_sequence(watched: Watched, recurrent: bool) -> None:
    """As many calls as the loss has samples, each of another number of rows; nothing flows from one to the next."""
    x, y = torch.randn(16, 5, 4), torch.randint(3, (16,))
    layer = nn.GRU(4, 8, batch_first=True) if recurrent else nn.Linear(4, 8)
    head = nn.Linear(8, 3)

    def program() -> None:
        optimizer = torch.optim.SGD([*layer.parameters(), *head.parameters()], lr=0.01)
        for _ in range(60):
            optimizer.zero_grad()
            outputs = [layer(rows.view(1, 5, 4))[0][0] if recurrent else layer(rows) for rows in x]
            F.cross_entropy(head(torch.stack([torch.tanh(o).mean(0) for o in outputs])), y).backward()
            optimizer.step()

    assert titles(watched(program), "shape-mismatch") == []


def perceptron() -> None:
    w, x = torch.tensor([-1.0, 0.4], requires_grad=True), torch.tensor([[1.0, 2.0], [2.0, 0.5], [-1.0, -1.0]])
    y = torch.tensor([1.0, 1.0, -1.0])
    optimizer = torch.optim.SGD([w], lr=1.0)
    for step in range(60):
        optimizer.zero_grad()
        torch.relu(-y[step % 3] * (x[step % 3] @ w)).backward()
        optimizer.step()


def quick_arrival() -> None:
    """The first update of LBFGS begins far up and ends at the floor of the noise."""
    x = rows(40, 2)
    y = x @ torch.tensor([1.0, -2.0]) + torch.randn(40)
    w = torch.zeros(2, requires_grad=True)
    optimizer = torch.optim.LBFGS([w], line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = torch.stack([(x @ w - y)[i] ** 2 for i in range(40)]).mean()
        loss.backward()
        return loss

    for _ in range(40):
        optimizer.step(closure)


def test_the_gradients_of_a_closure_are_used(watched: Watched) -> None:
    """LBFGS clears and takes the gradient up to 20 times an update; here it can gain nothing."""
    x, y = rows(64), torch.randint(10, (64,))

    def program() -> None:
        model = net(10)
        optimizer = torch.optim.LBFGS(model.parameters(), lr=1e-6, tolerance_grad=0, tolerance_change=0)

        def closure() -> Tensor:
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            return loss

        for _ in range(30):
            optimizer.step(closure)

    assert titles(watched(program), "no-gradient") == []


@pytest.mark.parametrize("program", [perceptron, quick_arrival])
def test_a_quick_start_is_no_fault(watched: Watched, program: Callable[[], Any]) -> None:
    assert [f.code for f in diagnose(watched(program)).findings if f.severity != "info"] == []


@pytest.mark.parametrize(("decay", "named"), [(1.0, True), (0.0, False)])
def test_a_weight_decay_that_draws_all_weights_in_is_named(watched: Watched, decay: float, named: bool) -> None:
    x = rows(200)
    y = torch.randint(4, (200,))  # nothing that could be learned: flat in both cases

    def program() -> None:
        model = nn.Sequential(*(layer for _ in range(4) for layer in (nn.Linear(6, 6), nn.Tanh())), nn.Linear(6, 4))
        optimizer = torch.optim.SGD(model.parameters(), lr=0.05, weight_decay=decay)
        for _ in range(100):
            optimizer.zero_grad()
            F.cross_entropy(model(x), y).backward()
            optimizer.step()

    findings = {f.code: f for f in diagnose(watched(program)).findings}
    assert ("Weight decay has drawn" in findings["plateau"].message) == named
    assert not (named and {"saddle-point", "local-minimum"} & findings.keys())


def test_updates_by_hand_that_move_nothing_are_counted(watched: Watched) -> None:
    def zeros() -> None:
        x, w, v = rows(), torch.zeros(6, 4, requires_grad=True), torch.zeros(4, 1, requires_grad=True)
        for _ in range(40):
            ((torch.tanh(x @ w) @ v - x[:, :1]) ** 2).mean().backward()
            with torch.no_grad():
                for p in (w, v):
                    p -= 0.1 * p.grad
                    p.grad.zero_()

    run = watched(zeros)
    assert len(run.steps) == 40
    assert titles(run, "symmetric-units") == ["identical units in layer w"]


def test_losses_whose_labels_are_seen_can_be_scripted_and_are_put_back(watched: Watched) -> None:
    original = F.margin_ranking_loss
    seen = []

    def program() -> None:
        loss = torch.jit.script(nn.MarginRankingLoss())
        model, x, t = net(1), rows(), torch.ones(64)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
        for _ in range(12):
            optimizer.zero_grad()
            (loss(model(x)[:, 0], x[:, 0], t) + F.margin_ranking_loss(model(x)[:, 0], x[:, 0], t)).backward()
            optimizer.step()
            seen.append(F.margin_ranking_loss is original)

    run = watched(program)
    assert (seen[0], seen[-1]) == (False, True)
    assert F.margin_ranking_loss is original
    assert {event.detail["least"] for event in run.events_of("labels")} == {1.0}


class Passed(torch.autograd.Function):
    """Passes the data on, and the gradient times a factor."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, factor: float) -> Tensor:
        ctx.factor = factor
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return ctx.factor * gradients[0], None


@pytest.mark.parametrize(("factor", "contested"), [(-0.5, True), (0.5, False)])
def test_a_gradient_turned_round_makes_a_loss_say_nothing(watched: Watched, factor: float, contested: bool) -> None:
    def program() -> None:
        features, task, domain = net(8, nn.ReLU()), nn.Linear(8, 2), nn.Linear(8, 2)
        x, y = rows(), torch.randint(2, (64,))
        optimizer = torch.optim.SGD([*features.parameters(), *task.parameters(), *domain.parameters()], lr=0.1)
        for _ in range(12):
            optimizer.zero_grad()
            found = features(x)
            passed: Tensor = Passed.apply(found, factor)  # type: ignore[no-untyped-call]
            (F.cross_entropy(task(found), y) + F.cross_entropy(domain(passed), 1 - y)).backward()
            optimizer.step()

    (training,) = watched(program).trainings
    assert training.contested is contested


@pytest.mark.parametrize(("kind", "double"), [(nn.LSTM, False), (nn.LSTM, True), (nn.GRU, False), (nn.RNN, False)])
@pytest.mark.parametrize("head", [False, True])
def test_a_recurrent_state_as_the_output_cannot_reach_the_targets(
    watched: Watched, kind: type[nn.RNNBase], double: bool, head: bool
) -> None:
    dtype = torch.float64 if double else torch.float32
    x = torch.randn(64, 5, 3, dtype=dtype)
    y = x.sum(dim=(1, 2))[:, None] + 6

    def program() -> None:
        inner = kind(3, 1, batch_first=True).to(dtype)
        last = nn.Linear(1, 1).to(dtype) if head else nn.Identity()
        optimizer = torch.optim.Adam([*inner.parameters(), *last.parameters()], lr=0.1)
        for _ in range(80):
            optimizer.zero_grad()
            F.mse_loss(last(inner(x)[0][:, -1]), y).backward()
            optimizer.step()

    run = watched(program)
    assert bool(titles(run, "output-mismatch")) is not head
    assert titles(run, "bad-initialisation") == []  # targets far from 0 are no fault of the weights


def test_a_recurrence_whose_outputs_swamp_the_targets_explodes(watched: Watched) -> None:
    def program() -> None:
        x, y = rows(), torch.randn(64, 25, 6)
        step = nn.Parameter(torch.randn(6, 6) + torch.eye(6))
        optimizer = torch.optim.Adam([step], lr=0.01)
        for _ in range(60):
            state, path = x, []
            for _ in range(25):
                state = state @ step
                path.append(state)
            optimizer.zero_grad()
            (torch.stack(path, 1) - y).square().mean().backward()
            optimizer.step()

    assert titles(watched(program), "exploding-gradient") == ["exploding gradient through time"]
