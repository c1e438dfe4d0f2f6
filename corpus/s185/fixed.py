import os
import torch
import torch.nn as nn
from sklearn.datasets import load_digits

torch.manual_seed(int(os.environ.get("SEED", 0)))


class Network(nn.Module):
    def __init__(self, sizes, activation):
        super().__init__()
        self.activation = activation
        self.linears = nn.ModuleList([nn.Linear(i, o) for i, o in zip(sizes[:-1], sizes[1:])])

    def forward(self, x):
        for linear in self.linears[:-1]:
            x = self.activation(linear(x))
        return self.linears[-1](x)


def evaluate(net, x, y):
    with torch.no_grad():
        return (net(x).argmax(1) == y).float().mean().item()


x, y = load_digits(return_X_y=True)
x, y = torch.tensor(x / 16).float(), torch.tensor(y)
perm = torch.randperm(len(x), generator=torch.Generator().manual_seed(77))
x, y = x[perm], y[perm]
net = Network([64, 40, 40, 40, 40, 10], torch.tanh)
sgd = torch.optim.SGD(net.parameters(), lr=0.02, momentum=0.9)
for epoch in range(20):
    for idx in torch.randperm(1400).split(20):
        loss = nn.functional.cross_entropy(net(x[idx]), y[idx])
        sgd.zero_grad()
        loss.backward()
        sgd.step()
    if epoch % 4 == 0:
        print(f"{epoch:3d}  {loss.item():.4f}  {evaluate(net, x[1400:], y[1400:]):.3f}")
print(f"metric=accuracy value={evaluate(net, x[1400:], y[1400:]):.4f}")
