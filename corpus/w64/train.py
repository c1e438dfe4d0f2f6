import os
import torch
import torch.nn as nn

torch.manual_seed(int(os.environ.get("SEED", 0)))
# two domains: the second is shifted and has no labels
n = 1000
ys, yt = torch.randint(0, 2, (n,)), torch.randint(0, 2, (n,))
make = lambda y, shift: torch.cat([torch.randn(n, 2) * 0.5 + (2.0 * y[:, None] - 1), torch.randn(n, 3) + shift], 1)
xs, xt = make(ys, 0.0), make(yt, 1.5)


class Reverse(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, strength):
        ctx.strength = strength
        return x.view_as(x)

    @staticmethod
    def backward(ctx, grad):
        return -ctx.strength * grad, None


features = nn.Sequential(nn.Linear(5, 32), nn.ReLU(), nn.Linear(32, 16), nn.ReLU())
label_head, domain_head = nn.Linear(16, 2), nn.Sequential(nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 2))
modules = nn.ModuleList([features, label_head, domain_head])
opt = torch.optim.SGD(modules.parameters(), lr=0.05, momentum=0.9)
ce = nn.CrossEntropyLoss()
for epoch in range(25):
    for i, j in zip(torch.randperm(n).split(50), torch.randperm(n).split(50)):
        fs, ft = features(xs[i]), features(xt[j])
        both = Reverse.apply(torch.cat([fs, ft]), 0.5)
        where = torch.cat([torch.zeros(50), torch.ones(50)]).long()
        task, domain = ce(label_head(fs), ys[i]), ce(domain_head(both), where)
        opt.zero_grad()
        (task + domain).backward()
        opt.step()
    if epoch % 5 == 0:
        print(f"{epoch} task {task.item():.3f} domain {domain.item():.3f}")
with torch.no_grad():
    acc = (label_head(features(xt)).argmax(1) == yt).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
