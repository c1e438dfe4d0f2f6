import os
import numpy as np
import torch
import torch.nn as nn
from sklearn.datasets import make_moons

SEED = int(os.environ.get("SEED", 0))
torch.manual_seed(SEED)
torch.set_num_threads(1)

pts, _ = make_moons(3000, noise=0.04, random_state=SEED)
pts = torch.tensor(pts, dtype=torch.float32) - torch.tensor([0.5, 0.25])
real_train, real_test = pts[:2500], pts[2500:]

NZ = 4


def block(i, o):
    return nn.Sequential(nn.Linear(i, o), nn.LeakyReLU(0.2))


class Generator(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(block(NZ, 64), block(64, 64), nn.Linear(64, 2))

    def forward(self, z):
        return self.body(z)


class Discriminator(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(block(2, 64), block(64, 64), nn.Linear(64, 1))

    def forward(self, x):
        return self.body(x).squeeze(1)


G, D = Generator(), Discriminator()
optG = torch.optim.Adam(G.parameters(), lr=1e-3, betas=(0.5, 0.9))
optD = torch.optim.Adam(D.parameters(), lr=1e-3, betas=(0.5, 0.9))
bce = nn.BCEWithLogitsLoss()
B = 128
ones, zeros = torch.ones(B), torch.zeros(B)

for step in range(1500):
    x = real_train[torch.randint(len(real_train), (B,))]
    fake = G(torch.randn(B, NZ)).detach()

    optD.zero_grad()
    lossD = bce(D(x), ones) + bce(D(fake), zeros)
    lossD.backward()
    optD.step()

    optG.zero_grad()
    lossG = bce(D(fake), ones)
    lossG.backward()
    optG.step()

    if step % 250 == 0:
        print(f"[{step}] loss_D {lossD.item():.4f} loss_G {lossG.item():.4f}")

G.eval()
with torch.no_grad():
    fake = G(torch.randn(500, NZ))
d = torch.cdist(real_test, fake)
recall = (d.min(1).values < 0.15).float().mean().item()
precision = (d.min(0).values < 0.15).float().mean().item()
score = 2 * recall * precision / max(recall + precision, 1e-9)
print(f"precision {precision:.3f} recall {recall:.3f}")
print(f"metric=score value={score:.4f}")
