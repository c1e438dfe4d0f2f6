import os
import torch
import torch.nn as nn
from sklearn.datasets import load_digits

torch.manual_seed(int(os.environ.get("SEED", 0)))

digits = load_digits()
x = torch.tensor(digits.data / 16, dtype=torch.float32)
train, test = x[:1500], x[1500:]


class AutoEncoder(nn.Module):
    def __init__(self, code=16):
        super().__init__()
        self.enc = nn.Sequential(nn.Linear(64, 48), nn.Tanh(), nn.Linear(48, code))
        self.dec = nn.Sequential(nn.Linear(code, 48), nn.Tanh(), nn.Linear(48, 64))

    def forward(self, x):
        return self.dec(self.enc(x))


model = AutoEncoder()
opt = torch.optim.SGD(model.parameters(), lr=4.0, momentum=0.8)
for epoch in range(60):
    for batch in train[torch.randperm(1500)].split(100):
        opt.zero_grad()
        loss = nn.functional.mse_loss(model(batch), batch)
        loss.backward()
        opt.step()
    if epoch % 10 == 0:
        print(f"{epoch} {loss.item():.5f}")

with torch.no_grad():
    out = model(test)
r2 = 1 - (out - test).pow(2).sum() / (test - test.mean(0)).pow(2).sum()
print(f"metric=r2 value={r2.item():.4f}")
