import os
import torch
import torch.nn as nn
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

seed = int(os.environ.get("SEED", 0))
torch.manual_seed(seed)


class SignSTE(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return torch.where(x >= 0, 1.0, -1.0)

    @staticmethod
    def backward(ctx, grad):
        x, = ctx.saved_tensors
        return grad * (x.abs() <= 1).float()


class BinaryLinear(nn.Linear):
    def forward(self, x):
        scale = self.weight.abs().mean(1, keepdim=True).detach()
        return nn.functional.linear(x, SignSTE.apply(self.weight) * scale, self.bias)


class BinaryNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.l1, self.n1 = nn.Linear(64, 128, bias=False), nn.BatchNorm1d(128)
        self.l2, self.n2 = BinaryLinear(128, 128, bias=False), nn.BatchNorm1d(128)
        self.l3 = nn.Linear(128, 10)

    def forward(self, x):
        x = SignSTE.apply(self.n1(self.l1(x)))
        x = SignSTE.apply(self.n2(self.l2(x)))
        return self.l3(x)


X, y = load_digits(return_X_y=True)
Xa, Xb, ya, yb = train_test_split(X / 8.0 - 1.0, y, test_size=0.3, stratify=y, random_state=seed)
Xa, Xb = torch.tensor(Xa, dtype=torch.float32), torch.tensor(Xb, dtype=torch.float32)
ya, yb = torch.tensor(ya), torch.tensor(yb)

net = BinaryNet()
opt = torch.optim.AdamW(net.parameters(), lr=3e-3, weight_decay=1e-3)
total = 35 * 20
schedule = torch.optim.lr_scheduler.OneCycleLR(opt, max_lr=8e-3, total_steps=total)
step = 0
while step < total:
    net.train()
    for idx in torch.randperm(len(Xa)).split(64):
        if step == total:
            break
        loss = nn.functional.cross_entropy(net(Xa[idx]), ya[idx], label_smoothing=0.1)
        opt.zero_grad()
        loss.backward()
        opt.step()
        schedule.step()
        step += 1
        if step % 100 == 0:
            print(step, f"{loss.item():.4f}")

net.eval()
with torch.no_grad():
    acc = (net(Xb).argmax(1) == yb).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
