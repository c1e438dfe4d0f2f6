import os
import math
import torch
import torch.nn as nn

torch.manual_seed(int(os.environ.get("SEED", "0")))
T, KINDS = 40, 4


def waves(n):
    t = torch.arange(T) / T
    kind = torch.randint(0, KINDS, (n,))
    freq = torch.rand(n, 1) * 2 + 2
    phase = (freq * t + torch.rand(n, 1)) % 1.0
    shapes = torch.stack([
        torch.sin(2 * math.pi * phase),
        torch.sign(phase - 0.5),
        2 * phase - 1,
        4 * (phase - 0.5).abs() - 1,
    ])
    x = shapes[kind, torch.arange(n)] + 0.1 * torch.randn(n, T)
    return x.unsqueeze(-1), kind


class SeqModel(nn.Module):
    def __init__(self, hidden=48, out=1):
        super().__init__()
        self.body = nn.GRU(1, hidden, batch_first=True)
        self.head = nn.Linear(hidden, out)

    def forward(self, x, last_only=False):
        h, _ = self.body(x)
        return self.head(h.mean(1) if last_only else h)


def pretrain(model, x, epochs):
    opt = torch.optim.Adam(model.parameters(), lr=5e-3)
    for ep in range(epochs):
        for idx in torch.randperm(len(x)).split(64):
            pred = model(x[idx, :-1])
            loss = nn.functional.mse_loss(pred, x[idx, 1:])
            opt.zero_grad()
            loss.backward()
            opt.step()
        print(f"[pretrain] {ep} mse {loss.item():.4f}")


def finetune(model, optimizer, x, y, epochs):
    for ep in range(epochs):
        for idx in torch.randperm(len(x)).split(32):
            loss = nn.functional.cross_entropy(model(x[idx], last_only=True), y[idx])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        if ep % 5 == 0:
            print(f"[finetune] {ep} loss {loss.item():.4f}")


unlabeled, _ = waves(1500)
x, y = waves(600)
x_test, y_test = waves(500)

model = SeqModel()
pretrain(model, unlabeled, 12)
for p in model.body.parameters():
    p.requires_grad = False
model.head = nn.Linear(model.head.in_features, KINDS)
optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=2e-2)
finetune(model, optimizer, x, y, 25)

with torch.no_grad():
    acc = (model(x_test, last_only=True).argmax(1) == y_test).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
