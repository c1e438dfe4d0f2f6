import os
import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(int(os.environ.get("SEED", 0)))
# learn a metric: samples of one class should point in the same direction
n, k = 1200, 6
centre = torch.randn(k, 20)
label = torch.randint(0, k, (n,))
x = F.relu(centre[label] + 0.7 * torch.randn(n, 20) - 0.4)
x[torch.rand(n) < 0.01] = 0.0  # empty records


def cosine(a, b):
    a = a / a.norm(dim=1, keepdim=True)
    b = b / b.norm(dim=1, keepdim=True)
    return a @ b.T


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(20, 48, bias=False), nn.Linear(48, 8, bias=False)

    def forward(self, x):
        return self.b(F.leaky_relu(self.a(x)))


enc = Encoder()
proto = nn.Parameter(torch.randn(k, 8))
opt = torch.optim.Adam([*enc.parameters(), proto], lr=3e-3)
for epoch in range(20):
    for i in torch.randperm(900).split(30):
        loss = F.cross_entropy(8 * cosine(enc(x[i]), proto), label[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
    if epoch % 5 == 0:
        print(epoch, loss.item())
with torch.no_grad():
    z = F.normalize(enc(x[900:]), dim=1) @ F.normalize(proto, dim=1).T
    acc = (z.argmax(1) == label[900:]).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
