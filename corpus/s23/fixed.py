import os
import torch
import torch.nn as nn
from sklearn.datasets import make_friedman1

torch.manual_seed(int(os.environ.get("SEED", 0)))
X, y = make_friedman1(1000, n_features=10, noise=0.3, random_state=0)
X = torch.tensor(X).float() * 2 - 1
y = torch.tensor((y - y.mean()) / y.std()).float()[:, None]


def build(scale):
    net = nn.Sequential(nn.Linear(10, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(),
                        nn.Linear(256, 1))
    for m in net:
        if hasattr(m, "weight"):
            m.weight.data = torch.randn_like(m.weight) * scale(m.in_features)
            m.bias.data.zero_()
    return net


model = build(lambda fan_in: (2 / fan_in) ** 0.5)
opt = torch.optim.Adam(model.parameters(), lr=1e-3)
mse = nn.MSELoss()
for epoch in range(15):
    for i in torch.randperm(750).split(50):
        opt.zero_grad()
        loss = mse(model(X[i]), y[i])
        loss.backward()
        opt.step()
    print("epoch", epoch, "mse", loss.item())
with torch.no_grad():
    r2 = 1 - mse(model(X[750:]), y[750:]) / y[750:].var(unbiased=False)
print(f"metric=r2 value={r2.item():.4f}")
