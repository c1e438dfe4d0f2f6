import copy
import os
import torch
import torch.nn as nn

torch.manual_seed(int(os.environ.get("SEED", "0")))
DIM, EXPERTS = 4, 8


def toy(n):
    x = torch.randn(n, DIM)
    region = (x[:, 0] > 0).long() * 2 + (x[:, 1] > 0).long()
    slopes = torch.tensor([[0.0, 0, 2, 1], [0, 0, -2, 1], [0, 0, 1, -2], [0, 0, -1, -1]])
    y = (x * slopes[region]).sum(1, keepdim=True) + 0.05 * torch.randn(n, 1)
    return x, y


class MoE(nn.Module):
    """soft mixture built from a dense expert"""

    def __init__(self, dense):
        super().__init__()
        self.experts = nn.ModuleList([copy.deepcopy(dense) for _ in range(EXPERTS)])
        self.router = nn.Sequential(nn.Linear(DIM, 32), nn.ReLU(), nn.Linear(32, EXPERTS))
        nn.init.zeros_(self.router[-1].weight)
        nn.init.zeros_(self.router[-1].bias)

    def forward(self, x):
        weight = self.router(x).softmax(-1)
        out = torch.stack([e(x) for e in self.experts], dim=-1)
        return (out * weight.unsqueeze(1)).sum(-1)


x, y = toy(3000)
xt, yt = toy(1000)
dense = nn.Linear(DIM, 1)
model = MoE(dense)
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
sched = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=50)
for epoch in range(50):
    total = 0.0
    for idx in torch.randperm(len(x)).split(100):
        loss = nn.functional.mse_loss(model(x[idx]), y[idx])
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        total += loss.item()
    sched.step()
    if epoch % 10 == 0:
        print(f"epoch {epoch} mse {total / 30:.4f}")

model.eval()
with torch.no_grad():
    r2 = 1 - nn.functional.mse_loss(model(xt), yt) / yt.var(unbiased=False)
print(f"metric=r2 value={r2.item():.4f}")
