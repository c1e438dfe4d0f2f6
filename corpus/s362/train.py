import os
import torch
from torch import nn, optim
from sklearn.datasets import load_wine
from sklearn.preprocessing import scale


class WineNet(nn.Module):
    def __init__(self, n_features, n_hidden, n_classes):
        super().__init__()
        self.hidden = nn.Linear(n_features, n_hidden)
        self.hidden2 = nn.Linear(n_hidden, n_hidden)
        self.output = nn.Linear(n_hidden, n_classes)

    def forward(self, x):
        x = torch.relu(self.hidden(x))
        x = torch.relu(self.hidden2(x))
        return self.output(x)


def load():
    wine = load_wine()
    x = torch.tensor(scale(wine.data), dtype=torch.float32)
    y = torch.tensor(wine.target, dtype=torch.long)
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(3))
    return x[order], y[order]


def main():
    torch.manual_seed(int(os.environ.get("SEED", "0")))
    x, y = load()
    xtr, ytr, xte, yte = x[:120], y[:120], x[120:], y[120:]
    net = WineNet(13, 16, 3)
    loss_fn = nn.NLLLoss()
    opt = optim.Adam(net.parameters(), lr=0.002)
    for epoch in range(150):
        for idx in torch.randperm(len(xtr)).split(10):
            opt.zero_grad()
            loss = loss_fn(net(xtr[idx]), ytr[idx])
            loss.backward()
            opt.step()
        if epoch % 15 == 0:
            print(f"epoch {epoch:3d}  loss {loss.item():.4g}")
    with torch.no_grad():
        acc = (net(xte).argmax(dim=1) == yte).float().mean().item()
    print(f"metric=accuracy value={acc:.4f}")


main()
