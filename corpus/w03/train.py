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

xa, xb = 2 * xa - 1, 2 * xb - 1
model = nn.Sequential(nn.Linear(64, 48), nn.Tanh())
for _ in range(8):
    model.extend([nn.Linear(48, 48), nn.Tanh()])
model.append(nn.Linear(48, 10))
for m in model:
    if isinstance(m, nn.Linear):
        nn.init.xavier_uniform_(m.weight, gain=nn.init.calculate_gain("tanh"))
        nn.init.zeros_(m.bias)
opt = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)
for epoch in range(15):
    for i in torch.randperm(len(xa)).split(32):
        opt.zero_grad()
        loss = F.cross_entropy(model(xa[i]), ya[i])
        loss.backward()
        opt.step()
    print(epoch, loss.item())
acc = (model(xb).argmax(1) == yb).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
