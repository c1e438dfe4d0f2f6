import os
import torch
import torch.nn as nn
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

torch.manual_seed(int(os.environ.get("SEED", "0")))


class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.a = nn.Linear(width, width)
        self.b = nn.Linear(width, width)
        for fc in (self.a, self.b):
            nn.init.kaiming_normal_(fc.weight, nonlinearity="relu")
            nn.init.zeros_(fc.bias)

    def forward(self, h):
        return h + self.b(torch.relu(self.a(h)))


class ResMLP(nn.Module):
    def __init__(self, width=48, depth=36):
        super().__init__()
        self.stem = nn.Linear(64, width)
        self.trunk = nn.ModuleList(Block(width) for _ in range(depth))
        self.head = nn.Linear(width, 10)

    def forward(self, x):
        h = self.stem(x)
        for block in self.trunk:
            h = block(h)
        return self.head(h)


def main():
    data = load_digits()
    x = torch.tensor((data.data - 8.0) / 8.0, dtype=torch.float32)
    y = torch.tensor(data.target)
    xa, xb, ya, yb = train_test_split(x, y, test_size=0.25, random_state=1, stratify=y)

    net = ResMLP()
    optim = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9)
    ce = nn.CrossEntropyLoss()
    for epoch in range(8):
        for idx in torch.randperm(len(xa)).split(64):
            optim.zero_grad(set_to_none=True)
            loss = ce(net(xa[idx]), ya[idx])
            loss.backward()
            nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            optim.step()
        print("epoch", epoch, "loss", loss.item())

    with torch.no_grad():
        accuracy = (net(xb).argmax(dim=1) == yb).float().mean()
    print(f"metric=accuracy value={accuracy.item():.4f}")


if __name__ == "__main__":
    main()
