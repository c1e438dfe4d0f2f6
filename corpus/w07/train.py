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

accum = 8
model = nn.Sequential(nn.Linear(64, 80), nn.ReLU(), nn.Dropout(0.2), nn.Linear(80, 10))
opt = torch.optim.Adam(model.parameters(), lr=5e-3)
opt.zero_grad()
step = 0
for epoch in range(12):
    model.train()
    for i in torch.randperm(len(xa)).split(8):
        loss = F.cross_entropy(model(xa[i]), ya[i]) / accum
        loss.backward()
        step += 1
        if step % accum == 0:
            opt.step()
            opt.zero_grad()
    print(epoch, accum * loss.item())
model.eval()
acc = (model(xb).argmax(1) == yb).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
