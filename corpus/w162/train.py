import os

import torch
import torch.nn as nn
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from torch.func import functional_call, grad, vmap

seed = int(os.environ.get("SEED", "0"))
torch.manual_seed(seed)
X, y = load_breast_cancer(return_X_y=True)
xa, xb, ya, yb = train_test_split(X, y, test_size=0.3, random_state=seed, stratify=y)
scaler = StandardScaler().fit(xa)
xa, xb = (torch.tensor(scaler.transform(v), dtype=torch.float32) for v in (xa, xb))
ya, yb = torch.tensor(ya), torch.tensor(yb)

net = nn.Sequential(nn.Linear(30, 16), nn.Tanh(), nn.Linear(16, 2))
params = {k: v.detach().clone() for k, v in net.named_parameters()}


def sample_loss(p, x, t):
    logits = functional_call(net, p, (x.unsqueeze(0),))
    return nn.functional.cross_entropy(logits, t.unsqueeze(0))


per_sample_grad = vmap(grad(sample_loss), in_dims=(None, 0, 0))
LR, CLIP, SIGMA, BATCH = 0.3, 1.0, 0.8, 64

for epoch in range(60):
    for idx in torch.randperm(len(xa)).split(BATCH):
        grads = per_sample_grad(params, xa[idx], ya[idx])
        norms = torch.stack([v.flatten(1).norm(dim=1) for v in grads.values()]).norm(dim=0)
        factor = (CLIP / norms.clamp(min=CLIP))
        for name, v in grads.items():
            clipped = torch.einsum("n,n...->...", factor, v)
            noise = SIGMA * CLIP * torch.randn_like(clipped)
            params[name] = params[name] - LR * (clipped + noise) / BATCH
    if epoch % 10 == 9:
        logits = functional_call(net, params, (xa,))
        print(f"epoch {epoch + 1} train loss {nn.functional.cross_entropy(logits, ya).item():.4f}")

acc = (functional_call(net, params, (xb,)).argmax(1) == yb).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
