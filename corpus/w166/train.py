import os
import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

SEED = int(os.environ.get("SEED", "0"))
torch.manual_seed(SEED)
np.random.seed(SEED)

pixels, target = load_digits(return_X_y=True)
pixels = torch.tensor(pixels, dtype=torch.float32).view(-1, 1, 8, 8) / 16
target = torch.tensor(target)
order = torch.randperm(len(target))
train_x, train_y = pixels[order[:1300]], target[order[:1300]]
test_x, test_y = pixels[order[1300:]], target[order[1300:]]


def augment(x):
    n = len(x)
    angle = (torch.rand(n) - 0.5) * 0.6
    zoom = 1 + (torch.rand(n) - 0.5) * 0.3
    theta = torch.zeros(n, 2, 3)
    theta[:, 0, 0] = theta[:, 1, 1] = torch.cos(angle) * zoom
    theta[:, 0, 1], theta[:, 1, 0] = -torch.sin(angle), torch.sin(angle)
    theta[:, :, 2] = (torch.rand(n, 2) - 0.5) * 0.4
    moved = F.grid_sample(x, F.affine_grid(theta, x.shape, align_corners=False), align_corners=False)
    return moved + 0.05 * torch.randn_like(moved)


encoder = nn.Sequential(
    nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(),
    nn.Conv2d(16, 32, 3, stride=2, padding=1), nn.BatchNorm2d(32), nn.ReLU(),
    nn.Flatten(), nn.Linear(32 * 16, 64), nn.ReLU(),
)
projector = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 32))
TEMPERATURE = 0.2


def nt_xent(za, zb):
    z = F.normalize(torch.cat([za, zb]), dim=1)
    similarity = z @ z.T / TEMPERATURE
    similarity = similarity.masked_fill(torch.eye(len(z), dtype=torch.bool), float("-inf"))
    n = len(za)
    partner = torch.cat([torch.arange(n, 2 * n), torch.arange(n)])
    return F.cross_entropy(similarity, partner)


opt = torch.optim.Adam([*encoder.parameters(), *projector.parameters()], lr=2e-3, weight_decay=1e-5)
epochs, size = 20, 130
schedule = torch.optim.lr_scheduler.CosineAnnealingLR(opt, epochs * (1300 // size))
for epoch in range(epochs):
    for idx in torch.randperm(1300).split(size):
        x = train_x[idx]
        loss = nt_xent(projector(encoder(augment(x))), projector(encoder(augment(x))))
        opt.zero_grad()
        loss.backward()
        opt.step()
        schedule.step()
    if epoch % 5 == 4:
        print(f"epoch {epoch + 1} contrastive loss {loss.item():.3f}")

encoder.eval().requires_grad_(False)
probe = LogisticRegression(max_iter=3000).fit(encoder(train_x).numpy(), train_y.numpy())
print(f"metric=accuracy value={probe.score(encoder(test_x).numpy(), test_y.numpy()):.4f}")
