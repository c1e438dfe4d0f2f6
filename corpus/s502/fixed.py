import os
import numpy as np
import torch
import torch.nn as nn
from sklearn.datasets import load_breast_cancer
from torch.utils.data import DataLoader, Dataset

SEED = int(os.environ.get("SEED", "0"))
torch.manual_seed(SEED)
np.random.seed(SEED)


class TumorDataset(Dataset):
    def __init__(self, x, y):
        self.x = torch.as_tensor(x, dtype=torch.float32)
        self.y = torch.as_tensor(y, dtype=torch.float32)

    def __len__(self):
        return len(self.y)

    def __getitem__(self, i):
        return self.x[i], self.y[i]


def weighted_bce(prob, target, w_pos=1.0, w_neg=1.5):
    prob = prob.clamp(1e-6, 1 - 1e-6)
    pos = w_pos * target * torch.log(prob)
    neg = w_neg * (1 - target) * torch.log(1 - prob)
    return -(pos + neg).mean()


class TumorNet(nn.Module):
    def __init__(self, n_features=30):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(n_features, 64), nn.LeakyReLU(),
            nn.Linear(64, 32), nn.LeakyReLU(),
            nn.Linear(32, 1), nn.Sigmoid(),
        )

    def forward(self, x):
        return self.layers(x).squeeze(1)


def main():
    X, y = load_breast_cancer(return_X_y=True)
    order = np.random.permutation(len(y))
    X, y = X[order], y[order]
    X = (X - X[:420].mean(0)) / X[:420].std(0)
    train, test = TumorDataset(X[:420], y[:420]), TumorDataset(X[420:], y[420:])
    loader = DataLoader(train, batch_size=30, shuffle=True)
    net = TumorNet()
    optimizer = torch.optim.Adam(net.parameters(), lr=5e-3)
    for epoch in range(60):
        total = 0.0
        for x, t in loader:
            optimizer.zero_grad()
            loss = weighted_bce(net(x), t)
            loss.backward()
            optimizer.step()
            total += loss.item()
        if epoch % 10 == 9:
            print(f"epoch {epoch + 1}: loss {total / len(loader):.5f}")

    with torch.no_grad():
        guess = (net(test.x) > 0.5).float()
    print(f"metric=accuracy value={(guess == test.y).float().mean().item():.4f}")


main()
