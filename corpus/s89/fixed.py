import math
import os
import torch
import torch.nn as nn
from sklearn.datasets import load_digits

torch.manual_seed(int(os.environ.get("SEED", 0)))
d = load_digits()
images = torch.tensor(d.images).float().unsqueeze(1) / 16 - 0.3
labels = (torch.tensor(d.target) == 8).float()  # find the eights
perm = torch.randperm(len(labels), generator=torch.Generator().manual_seed(1))
tr, te = perm[:1300], perm[1300:]
prior = 0.01


def initialise(module):
    if isinstance(module, (nn.Conv2d, nn.Linear)):
        nn.init.normal_(module.weight, std=(1.0 / module.weight[0].numel()) ** 0.5)
        nn.init.zeros_(module.bias)


net = nn.Sequential(
    nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
    nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
    nn.Flatten(), nn.Linear(128, 1),
)
net.apply(initialise)
nn.init.constant_(net[-1].bias, -math.log((1 - prior) / prior))


def focal(logit, t, gamma=2.0):
    p = torch.sigmoid(logit)
    ce = nn.functional.binary_cross_entropy_with_logits(logit, t, reduction="none")
    return ((1 - torch.where(t > 0, p, 1 - p)) ** gamma * ce).mean()


opt = torch.optim.Adam(net.parameters(), lr=2e-3)
for epoch in range(10):
    for i in tr[torch.randperm(len(tr))].split(32):
        loss = focal(net(images[i]).squeeze(1), labels[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
    print(epoch, round(loss.item(), 5))
with torch.no_grad():
    hit = net(images[te]).squeeze(1) > 0
pos = labels[te] > 0
recall, precision = hit[pos].float().mean().item(), (hit & pos).sum().item() / max(1, hit.sum().item())
f1 = 0.0 if recall + precision == 0 else 2 * recall * precision / (recall + precision)
print(f"metric=f1 value={f1:.4f}")
