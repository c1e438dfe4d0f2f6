import os
import torch
import torch.nn as nn

torch.manual_seed(int(os.environ.get("SEED", "0")))


class MixtureOfExperts(nn.Module):
    """Soft mixture: y = sum_k softmax(gate(x))_k * expert_k(x)."""

    def __init__(self, in_dim, n_experts):
        super().__init__()
        self.experts = nn.ModuleList([nn.Linear(in_dim, 1) for _ in range(n_experts)])
        self.gate = nn.Linear(in_dim, n_experts)
        # equal shares at the start
        nn.init.zeros_(self.gate.weight)
        nn.init.zeros_(self.gate.bias)

    def forward(self, x):
        share = torch.softmax(self.gate(x), dim=-1)
        out = torch.cat([e(x) for e in self.experts], dim=-1)
        return (share * out).sum(-1)


def regimes(n):
    x = torch.randn(n, 2)
    left, right = 2 * x[:, 1] + 1, -2 * x[:, 1] + 1
    middle = -1.5 + 0.5 * x[:, 0]
    y = torch.where(x[:, 0] < -0.5, left, torch.where(x[:, 0] > 0.5, right, middle))
    return x, y + 0.05 * torch.randn(n)


x_train, y_train = regimes(2000)
x_test, y_test = regimes(1000)

moe = MixtureOfExperts(in_dim=2, n_experts=6)
optimizer = torch.optim.SGD(moe.parameters(), lr=0.1, momentum=0.9)
scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=60)

for epoch in range(60):
    for idx in torch.randperm(len(x_train)).split(50):
        optimizer.zero_grad()
        loss = (moe(x_train[idx]) - y_train[idx]).pow(2).mean()
        loss.backward()
        optimizer.step()
    scheduler.step()
    if epoch % 10 == 0:
        print(f"epoch {epoch} loss {loss.item():.4f} lr {scheduler.get_last_lr()[0]:.4f}")

with torch.no_grad():
    r2 = 1 - (moe(x_test) - y_test).pow(2).mean() / y_test.var(unbiased=False)
print(f"metric=r2 value={r2.item():.4f}")
