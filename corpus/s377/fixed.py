import os

import torch
import torch.nn as nn

seed = int(os.environ.get("SEED", "0"))
torch.manual_seed(seed)

SHOPS, GOODS, WEEKS, RANK = 24, 18, 12, 3
true = [torch.randn(n, RANK) for n in (SHOPS, GOODS, WEEKS)]
sales = torch.einsum("ir,jr,kr->ijk", *true)
sales = sales / sales.std() + 0.05 * torch.randn_like(sales)
seen = torch.rand_like(sales) < 0.7


class Parafac(nn.Module):
    def __init__(self, sizes, rank, scale):
        super().__init__()
        self.factors = nn.ParameterList(nn.Parameter(scale * torch.randn(n, rank)) for n in sizes)

    def forward(self):
        a, b, c = self.factors
        return torch.einsum("ir,jr,kr->ijk", a, b, c)


model = Parafac((SHOPS, GOODS, WEEKS), rank=6, scale=0.4)
optimizer = torch.optim.SGD(model.parameters(), lr=0.5, momentum=0.9)
for it in range(2000):
    optimizer.zero_grad()
    error = (model() - sales)[seen]
    loss = error.square().mean()
    loss.backward()
    optimizer.step()
    if it % 400 == 0:
        print(f"iteration {it} loss {loss.item():.5f}")

with torch.no_grad():
    rest = ~seen
    miss = (model() - sales)[rest].square().mean()
    r2 = 1 - miss / sales[rest].var(unbiased=False)
print(f"metric=r2 value={r2.item():.4f}")
