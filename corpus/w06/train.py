import os
import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

torch.manual_seed(int(os.environ.get("SEED", 0)))
X, y = load_digits(return_X_y=True)
xa, xb, ya, yb = train_test_split(X / 16.0, y, test_size=0.25, random_state=0)
xa, xb = torch.tensor(xa).float(), torch.tensor(xb).float()
ya, yb = torch.tensor(ya), torch.tensor(yb)


class LoRA(nn.Module):
    def __init__(self, base, r=4):
        super().__init__()
        self.base = base
        self.A = nn.Parameter(torch.randn(r, base.in_features) / base.in_features ** 0.5)
        self.B = nn.Parameter(torch.zeros(base.out_features, r))

    def forward(self, x):
        return self.base(x) + 2.0 * (x @ self.A.T @ self.B.T)


net = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))


def fit(params, labels, epochs, lr):
    opt = torch.optim.AdamW(params, lr=lr)
    for epoch in range(epochs):
        for i in torch.randperm(len(xa)).split(64):
            opt.zero_grad()
            loss = F.cross_entropy(net(xa[i]), labels[i])
            loss.backward()
            opt.step()
        print(epoch, loss.item())


fit(net.parameters(), ya, 6, 2e-3)
for p in net.parameters():
    p.requires_grad = False
for k in (0, 2, 4):
    net[k] = LoRA(net[k])
fit([p for p in net.parameters() if p.requires_grad], (ya + 1) % 10, 20, 5e-3)
acc = (net(xb).argmax(1) == (yb + 1) % 10).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
