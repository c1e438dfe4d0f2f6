import os
import torch
import torch.nn as nn
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

torch.manual_seed(int(os.environ.get("SEED", 0)))
X, y = load_digits(return_X_y=True)
Xa, Xb, ya, yb = train_test_split(X / 8.0 - 1, y, test_size=0.25, random_state=0)
Xa, Xb = torch.tensor(Xa).float(), torch.tensor(Xb).float()
ya, yb = torch.tensor(ya), torch.tensor(yb)


class SmoothStep(nn.Module):
    """A step function with a slope, so that it can be trained."""

    def __init__(self, sharpness=60.0):
        super().__init__()
        self.sharpness = sharpness

    def forward(self, x):
        return torch.sigmoid(self.sharpness * x)


def block(a, b):
    return nn.Sequential(nn.Linear(a, b), SmoothStep())


model = nn.Sequential(block(64, 24), block(24, 12), block(12, 8), nn.Linear(8, 10))
opt = torch.optim.Adam(model.parameters(), lr=2e-3)
for epoch in range(25):
    for i in torch.randperm(len(Xa)).split(50):
        loss = nn.functional.cross_entropy(model(Xa[i]), ya[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
    if epoch % 5 == 0:
        print(epoch, loss.item())
acc = (model(Xb).argmax(1) == yb).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
