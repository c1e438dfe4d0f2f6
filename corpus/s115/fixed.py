import os
import torch
import torch.nn as nn
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

torch.manual_seed(int(os.environ.get("SEED", 0)))
X, y = load_digits(return_X_y=True)
Xa, Xb, ya, yb = train_test_split(X / 16.0, y, test_size=0.25, random_state=0)
Xa, Xb, ya, yb = torch.tensor(Xa).float(), torch.tensor(Xb).float(), torch.tensor(ya), torch.tensor(yb)

model = nn.Sequential(nn.Linear(64, 64), nn.GELU(), nn.Linear(64, 10), nn.LogSoftmax(dim=1))
# log-probabilities for the loss
criterion = nn.NLLLoss()
opt = torch.optim.Adam(model.parameters(), lr=5e-3)
for epoch in range(15):
    for i in torch.randperm(len(Xa)).split(32):
        opt.zero_grad()
        loss = criterion(model(Xa[i]), ya[i])
        loss.backward()
        opt.step()
    print(epoch, loss.item())
acc = (model(Xb).argmax(1) == yb).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
