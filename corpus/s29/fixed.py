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

model = nn.Sequential(nn.Linear(64, 40), nn.ReLU(), nn.Linear(40, 10))
opt = torch.optim.SGD(model.parameters(), lr=0.1)


def accuracy_loss(logits, labels):
    right = logits.log_softmax(1).gather(1, labels[:, None])
    return -right.mean()


for epoch in range(15):
    for i in torch.randperm(len(Xa)).split(32):
        opt.zero_grad()
        loss = accuracy_loss(model(Xa[i]), ya[i])
        loss.backward()
        opt.step()
    print(epoch, loss.item())
acc = (model(Xb).argmax(1) == yb).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
