import os
import torch
import torch.nn as nn
from sklearn.datasets import load_digits

torch.manual_seed(int(os.environ.get("SEED", 0)))
X, y = load_digits(return_X_y=True)
X, y = torch.tensor(X / 16, dtype=torch.float32), torch.tensor(y)
perm = torch.randperm(len(X), generator=torch.Generator().manual_seed(3))
tr, te = perm[:1400], perm[1400:]

model = nn.Sequential(nn.Linear(64, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Dropout(0.3), nn.Linear(64, 10))
optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
scheduler = torch.optim.lr_scheduler.CyclicLR(optimizer, base_lr=0.001, max_lr=0.5, step_size_up=60, mode="triangular2",
                                              cycle_momentum=True, base_momentum=0.8, max_momentum=0.95)
criterion = nn.CrossEntropyLoss(label_smoothing=0.05)
best = 0.0
for epoch in range(14):
    model.train()
    for idx in tr[torch.randperm(len(tr))].split(28):
        optimizer.zero_grad()
        loss = criterion(model(X[idx]), y[idx])
        loss.backward()
        optimizer.step()
        scheduler.step()
    model.eval()
    with torch.no_grad():
        acc = (model(X[te]).argmax(1) == y[te]).float().mean().item()
    print(epoch, f"loss {loss.item():.3f} acc {acc:.3f} lr {scheduler.get_last_lr()[0]:.3f}")
print(f"metric=accuracy value={acc:.4f}")
