import os
import torch
import torch.nn as nn

torch.manual_seed(int(os.environ.get("SEED", 0)))
# matrix completion with a deep linear net: W3 W2 W1, all factors started small
n, rank = 24, 3
truth = torch.randn(n, rank) @ torch.randn(rank, n) / rank**0.5
mask = torch.rand(n, n) < 0.5


class DeepLinear(nn.Module):
    def __init__(self, depth=3, scale=1e-4):
        super().__init__()
        self.factors = nn.ParameterList([nn.Parameter(scale * torch.randn(n, n)) for _ in range(depth)])

    def forward(self):
        out = self.factors[0]
        for f in self.factors[1:]:
            out = f @ out
        return out


model = DeepLinear()
opt = torch.optim.SGD(model.parameters(), lr=0.3, momentum=0.9)
for step in range(1500):
    loss = (model() - truth)[mask].pow(2).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
    if step % 250 == 0:
        print(step, loss.item())
with torch.no_grad():
    t = truth[~mask]
    r2 = 1 - ((model()[~mask] - t) ** 2).sum() / ((t - t.mean()) ** 2).sum()
print(f"metric=r2 value={r2.item():.4f}")
