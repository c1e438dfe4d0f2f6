import argparse
import os

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

parser = argparse.ArgumentParser()
parser.add_argument("--experts", type=int, default=2)
parser.add_argument("--dim", type=int, default=6)
parser.add_argument("--lr", type=float, default=3e-2)
parser.add_argument("--epochs", type=int, default=30)
args = parser.parse_args()

seed = int(os.environ.get("SEED", "0"))
torch.manual_seed(seed)
np.random.seed(seed)


class Market:
    """Returns follow the signals in one regime and revert in the other."""

    def __init__(self, dim):
        self.trend = torch.randn(dim)
        self.revert = -self.trend + 0.3 * torch.randn(dim)

    def draw(self, n):
        x, macro = torch.randn(n, len(self.trend)), torch.randn(n, 3)
        up = macro[:, 0] + 0.5 * macro[:, 1] > 0
        y = torch.where(up, x @ self.trend, x @ self.revert)
        return x, macro, (y + 0.1 * torch.randn(n)).unsqueeze(1)


class MixtureOfExperts(nn.Module):
    def __init__(self, dim, n_context, n_experts):
        super().__init__()
        self.experts = nn.ModuleList([nn.Linear(dim, 1) for _ in range(n_experts)])
        self.router = nn.Linear(n_context, n_experts)
        nn.init.zeros_(self.router.weight)
        nn.init.zeros_(self.router.bias)

    def forward(self, x, context):
        gate = F.softmax(self.router(context), dim=-1)
        out = torch.stack([e(x) for e in self.experts], dim=1)
        return (gate.unsqueeze(-1) * out).sum(1)


market = Market(args.dim)
x_train, m_train, y_train = market.draw(3000)
x_test, m_test, y_test = market.draw(1000)

moe = MixtureOfExperts(args.dim, 3, args.experts)
opt = torch.optim.AdamW(moe.parameters(), lr=args.lr, weight_decay=1e-4)
sched = torch.optim.lr_scheduler.CosineAnnealingLR(opt, T_max=args.epochs)

for epoch in range(1, args.epochs + 1):
    running = 0.0
    for idx in torch.randperm(len(x_train)).split(64):
        loss = F.mse_loss(moe(x_train[idx], m_train[idx]), y_train[idx])
        opt.zero_grad(set_to_none=True)
        loss.backward()
        opt.step()
        running += loss.item() * len(idx)
    sched.step()
    if epoch % 5 == 0:
        with torch.no_grad():
            load = F.softmax(moe.router(m_test), -1).mean(0)
        print(f"epoch {epoch} mse {running / len(x_train):.4f} load {[round(v, 2) for v in load.tolist()]}")

with torch.no_grad():
    r2 = 1 - F.mse_loss(moe(x_test, m_test), y_test) / y_test.var(unbiased=False)
print(f"metric=r2 value={r2.item():.4f}")
