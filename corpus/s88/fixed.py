import os
import torch
import torch.nn as nn
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

torch.manual_seed(int(os.environ.get("SEED", 0)))
X, y = load_digits(return_X_y=True)
Xa, Xb, ya, yb = train_test_split(X / 16.0, y, test_size=0.25, random_state=2)
Xa, Xb, ya, yb = torch.tensor(Xa).float(), torch.tensor(Xb).float(), torch.tensor(ya), torch.tensor(yb)

model = nn.Sequential(nn.Linear(64, 96), nn.LeakyReLU(), nn.Linear(96, 96), nn.LeakyReLU(), nn.Linear(96, 10))
optimizer = torch.optim.SGD(model.parameters(), lr=0.2, momentum=0.8)
accumulation = 4
scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 5, 0.7)
for epoch in range(15):
    optimizer.zero_grad()
    for k, i in enumerate(torch.randperm(len(Xa)).split(16)):
        loss = nn.functional.cross_entropy(model(Xa[i]), ya[i]) / accumulation
        loss.backward()
        if (k + 1) % accumulation == 0:
            optimizer.step()
            optimizer.zero_grad()
    scheduler.step()
    print(f"epoch {epoch} loss {loss.item() * accumulation:.4f} lr {scheduler.get_last_lr()[0]:.4f}")
acc = (model(Xb).argmax(1) == yb).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
