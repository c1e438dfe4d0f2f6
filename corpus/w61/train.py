import copy
import io
import os
import torch
import torch.nn as nn
from sklearn.datasets import load_wine
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

torch.manual_seed(int(os.environ.get("SEED", 0)))
X, y = load_wine(return_X_y=True)
X = StandardScaler().fit_transform(X)
Xt, Xv, yt, yv = train_test_split(X, y, test_size=0.4, random_state=0, stratify=y)
Xt, Xv, yt, yv = torch.tensor(Xt).float(), torch.tensor(Xv).float(), torch.tensor(yt), torch.tensor(yv)

model = nn.Sequential(nn.Linear(13, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Dropout(0.2), nn.Linear(64, 3))
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.RMSprop(model.parameters(), lr=1e-3)
best_loss, best_state, patience = float("inf"), None, 0
for epoch in range(200):
    model.train()
    for idx in torch.randperm(len(Xt)).split(8):
        if len(idx) < 2:
            continue
        optimizer.zero_grad()
        criterion(model(Xt[idx]), yt[idx]).backward()
        optimizer.step()
    model.eval()
    with torch.no_grad():
        val = criterion(model(Xv), yv).item()
    if val < best_loss:
        best_loss, patience = val, 0
        best_state = io.BytesIO()
        torch.save(model.state_dict(), best_state)
    else:
        patience += 1
        if patience == 15:
            print(f"early stop in epoch {epoch}")
            break
best_state.seek(0)
model.load_state_dict(torch.load(best_state))
model.eval()
acc = (model(Xv).argmax(1) == yv).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
