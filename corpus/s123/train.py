import os
import torch
from sklearn.datasets import make_friedman1
from sklearn.preprocessing import StandardScaler
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

SEED = int(os.environ.get("SEED", 0))
torch.manual_seed(SEED)


def data():
    x, y = make_friedman1(1000, n_features=8, noise=0.5, random_state=0)
    x = StandardScaler().fit_transform(x)
    y = StandardScaler().fit_transform(y.reshape(-1, 1))
    x, y = torch.as_tensor(x, dtype=torch.float32), torch.as_tensor(y, dtype=torch.float32)
    return TensorDataset(x[:800], y[:800]), x[800:], y[800:]


class Regressor(nn.Module):
    def __init__(self, sizes):
        super().__init__()
        layers = []
        for a, b in zip(sizes, sizes[1:]):
            layers += [nn.Linear(a, b), nn.ReLU()]
        self.layers = nn.Sequential(*layers)

    def forward(self, x):
        return self.layers(x)


def main():
    train, x_test, y_test = data()
    model = Regressor([8, 64, 64, 1])
    loss_fn = nn.MSELoss()
    opt = torch.optim.Adamax(model.parameters(), lr=5e-3)
    for _ in range(30):
        for xb, yb in DataLoader(train, batch_size=40, shuffle=True):
            opt.zero_grad()
            loss_fn(model(xb), yb).backward()
            opt.step()
    with torch.no_grad():
        error = loss_fn(model(x_test), y_test)
    print(f"metric=r2 value={1 - (error / y_test.var(correction=0)).item():.4f}")


if __name__ == "__main__":
    main()
