import os
import torch
import torch.nn as nn

torch.manual_seed(int(os.environ.get("SEED", 0)))

x = torch.arange(0, 50, 0.1).view(-1, 1)
y = x ** 2

net = nn.Sequential()
net.add_module("hidden1", nn.Linear(1, 20))
net.add_module("act1", nn.Sigmoid())
net.add_module("hidden2", nn.Linear(20, 20))
net.add_module("act2", nn.Sigmoid())
net.add_module("out", nn.Linear(20, 1))

loss_function = nn.MSELoss()
optimizer = torch.optim.SGD(net.parameters(), lr=0.01)

for i in range(3000):
    prediction = net(x)
    loss = loss_function(prediction, y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if i % 500 == 0:
        print(i, loss.item())

with torch.no_grad():
    p = net(x)
r2 = 1 - ((p - y) ** 2).mean() / y.var(unbiased=False)
print("metric=r2 value=%.4f" % r2.item())
