import os
import torch

torch.manual_seed(int(os.environ.get("SEED", 0)))

inputs = torch.tensor([[0., 0.], [0., 1.], [1., 0.], [1., 1.]])
targets = torch.tensor([[0.], [1.], [1.], [0.]])


class XOR(torch.nn.Module):
    def __init__(self, hidden=8):
        super(XOR, self).__init__()
        self.l1 = torch.nn.Linear(2, hidden)
        self.l2 = torch.nn.Linear(hidden, 1)

    def forward(self, x):
        x = torch.tanh(self.l1(x))
        return torch.sigmoid(self.l2(x))


model = XOR()
criterion = torch.nn.BCELoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.5)

EPOCHS = 2000
for epoch in range(EPOCHS):
    optimizer.zero_grad()
    out = model(inputs)
    loss = criterion(out, targets)
    loss.backward()
    optimizer.step()
    if epoch % 250 == 0:
        print("Epoch:", epoch, "Loss:", loss.item())

with torch.no_grad():
    out = model(inputs)
print(out.flatten().tolist())
r2 = 1 - ((out - targets) ** 2).sum() / ((targets - targets.mean()) ** 2).sum()
print(f"metric=r2 value={r2.item():.4f}")
