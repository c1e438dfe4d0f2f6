import os
import torch
import torch.nn as nn
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

torch.manual_seed(int(os.environ.get("SEED", 0)))
X, y = load_digits(return_X_y=True)
Xa, Xb, ya, yb = train_test_split(X / 16.0, y, test_size=0.25, random_state=0)
Xa, Xb = torch.tensor(Xa).float(), torch.tensor(Xb).float()
ya, yb = torch.tensor(ya), torch.tensor(yb)

config = {"lr": 1.0, "betas": (0.9, 0.999), "batch": 32, "epochs": 10}
model = nn.Sequential(nn.Linear(64, 100), nn.GELU(), nn.Linear(100, 100), nn.GELU(), nn.Linear(100, 10))
opt = torch.optim.Adam(model.parameters(), lr=config["lr"], betas=config["betas"])
ce = nn.CrossEntropyLoss()
for epoch in range(config["epochs"]):
    for i in torch.randperm(len(Xa)).split(config["batch"]):
        opt.zero_grad()
        loss = ce(model(Xa[i]), ya[i])
        loss.backward()
        opt.step()
    print(epoch, loss.item())
acc = (model(Xb).argmax(1) == yb).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
