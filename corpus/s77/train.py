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


class Hidden(nn.Module):
    def __init__(self, n_in, n_out):
        super().__init__()
        self.weight = torch.randn(n_in, n_out) * (1 / n_in) ** 0.5
        self.bias = nn.Parameter(torch.zeros(n_out))

    def forward(self, x):
        return torch.tanh(x @ self.weight + self.bias)


model = nn.Sequential(Hidden(64, 5), Hidden(5, 5), Hidden(5, 5), nn.Linear(5, 10))
opt = torch.optim.Adam(model.parameters(), lr=0.01)
for epoch in range(20):
    for i in torch.randperm(len(Xa)).split(64):
        opt.zero_grad()
        loss = nn.functional.cross_entropy(model(Xa[i]), ya[i])
        loss.backward()
        opt.step()
    if epoch % 5 == 0:
        print(epoch, loss.item())
acc = (model(Xb).argmax(1) == yb).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
