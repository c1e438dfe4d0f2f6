import os
import math
import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(int(os.environ.get("SEED", 0)))

# two views of one object: "image" features and "caption" counts
latent_to_img, latent_to_txt = torch.randn(6, 30), torch.randn(6, 25)


def pairs(n):
    z = torch.randn(n, 6)
    return torch.tanh(z @ latent_to_img) + 0.3 * torch.randn(n, 30), torch.relu(z @ latent_to_txt) + 0.3 * torch.randn(n, 25)


class Clip(nn.Module):
    def __init__(self):
        super().__init__()
        self.img = nn.Sequential(nn.Linear(30, 64), nn.GELU(), nn.Linear(64, 16))
        self.txt = nn.Sequential(nn.Linear(25, 64), nn.GELU(), nn.Linear(64, 16))
        self.log_scale = nn.Parameter(torch.tensor(math.log(1 / 0.07)))

    def forward(self, a, b):
        a, b = F.normalize(self.img(a), dim=-1), F.normalize(self.txt(b), dim=-1)
        return self.log_scale.exp().clamp(max=100) * a @ b.t()


model = Clip()
opt = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=0.1)
for step in range(500):
    a, b = pairs(96)
    logits = model(a, b)
    target = torch.arange(96)
    loss = (F.cross_entropy(logits, target) + F.cross_entropy(logits.t(), target)) / 2
    opt.zero_grad()
    loss.backward()
    opt.step()
    if step % 100 == 0:
        print(step, round(loss.item(), 4), "scale", round(model.log_scale.exp().item(), 2))

with torch.no_grad():
    a, b = pairs(200)
    acc = (model(a, b).argmax(1) == torch.arange(200)).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
