import os
import torch
import torch.nn as nn
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

torch.manual_seed(int(os.environ.get("SEED", 0)))
X, y = load_digits(return_X_y=True)
Xa, Xb, ya, yb = train_test_split(X / 16.0, y, test_size=0.25, random_state=0)
Xa, Xb, ya, yb = torch.tensor(Xa).float(), torch.tensor(Xb).float(), torch.tensor(ya), torch.tensor(yb)


class Maxpool(nn.Module):
    """Sparse code: what is left after a threshold, then a classifier on it."""

    def __init__(self):
        super().__init__()
        self.dictionary = nn.Linear(64, 80, bias=False)
        self.threshold = nn.Parameter(torch.full((80,), 0.9))
        self.mix = nn.Linear(80, 40)
        self.out = nn.Linear(40, 10)

    def forward(self, x):
        code = (self.dictionary(x) - self.threshold).clamp_min(0.0)
        return self.out(torch.relu(self.mix(code)))


model = Maxpool()
opt = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
for epoch in range(15):
    for i in torch.randperm(len(Xa)).split(64):
        loss = nn.functional.cross_entropy(model(Xa[i]), ya[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
    if epoch % 3 == 0:
        print(epoch, loss.item())
acc = (model(Xb).argmax(1) == yb).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
