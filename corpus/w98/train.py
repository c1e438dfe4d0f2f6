import os
import torch
import torch.nn as nn
from sklearn.datasets import load_wine
from sklearn.preprocessing import StandardScaler

torch.manual_seed(int(os.environ.get("SEED", 0)))
wine = load_wine()
X = torch.tensor(StandardScaler().fit_transform(wine.data), dtype=torch.float32)
y = torch.tensor(wine.target)
perm = torch.randperm(len(X), generator=torch.Generator().manual_seed(1))
tr, te = perm[:110], perm[110:]


def train(model, epochs=120):
    decay = [p for n, p in model.named_parameters() if n.endswith("weight")]
    plain = [p for n, p in model.named_parameters() if n.endswith("bias")]
    opt = torch.optim.AdamW([{"params": decay, "weight_decay": 1.0}, {"params": plain, "weight_decay": 0.0}], lr=3e-3)
    for epoch in range(epochs):
        model.train()
        for idx in tr[torch.randperm(len(tr))].split(22):
            opt.zero_grad()
            loss = nn.functional.cross_entropy(model(X[idx]), y[idx])
            loss.backward()
            opt.step()
        if epoch % 30 == 0:
            print(epoch, round(loss.item(), 4))


model = nn.Sequential(nn.Linear(13, 128), nn.ReLU(), nn.Dropout(0.5), nn.Linear(128, 128), nn.ReLU(), nn.Dropout(0.5), nn.Linear(128, 3))
train(model)
model.eval()
with torch.no_grad():
    acc = (model(X[te]).argmax(1) == y[te]).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
