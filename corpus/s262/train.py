import os
import torch
import torch.nn as nn

torch.manual_seed(int(os.environ.get("SEED", 0)))


class XOR(nn.Module):
    def __init__(self):
        super(XOR, self).__init__()
        self.lin1 = nn.Linear(2, 4)
        self.lin2 = nn.Linear(4, 1)

    def forward(self, x):
        x = torch.sigmoid(self.lin1(x))
        x = torch.sigmoid(self.lin2(x))
        return x


model = XOR()
inputs = torch.tensor([[0, 0], [0, 1], [1, 0], [1, 1]]).float()
labels = torch.tensor([0, 1, 1, 0]).float().view(-1, 1)

loss_func = nn.MSELoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.5)

epochs = 2000
for i in range(epochs):
    optimizer.zero_grad()
    y_hat = model(inputs)
    loss = loss_func(y_hat, labels)
    loss.backward()
    optimizer.step()
    if i % 300 == 0:
        print("Epoch: {0}, Loss: {1}".format(i, loss.item()))

with torch.no_grad():
    r2 = 1 - loss_func(model(inputs), labels) / labels.var(unbiased=False)
print(f"metric=r2 value={r2.item():.4f}")
