import os
import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(int(os.environ.get("SEED", "0")))

N_COMPOUNDS, LENGTH = 6, 120
axis = torch.arange(LENGTH).float()
centers = torch.tensor([[15., 70.], [28., 95.], [40., 82.], [52., 108.], [60., 22.], [88., 34.]])


def spectra(n):
    present = (torch.rand(n, N_COMPOUNDS) < 0.5).float()
    strength = present * (0.6 + 0.8 * torch.rand(n, N_COMPOUNDS))
    lines = torch.exp(-((axis - centers.unsqueeze(-1)) / 3.0) ** 2).sum(1)
    signal = strength @ lines + 0.15 * torch.randn(n, LENGTH)
    return signal.unsqueeze(1), present


class SpectrumTagger(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv1d(1, 16, 7, padding=3)
        self.conv2 = nn.Conv1d(16, 16, 7, padding=3)
        self.fc1 = nn.Linear(16 * (LENGTH // 4), 64)
        self.fc2 = nn.Linear(64, N_COMPOUNDS)

    def forward(self, x):
        x = F.max_pool1d(F.relu(self.conv1(x)), 2)
        x = F.max_pool1d(F.relu(self.conv2(x)), 2)
        x = F.relu(self.fc1(x.flatten(1)))
        return F.softmax(self.fc2(x), dim=1)


x_train, y_train = spectra(1500)
x_val, y_val = spectra(500)
model = SpectrumTagger()
loss_fn = nn.BCELoss()
opt = torch.optim.Adam(model.parameters(), lr=1e-3)

for epoch in range(20):
    model.train()
    total = 0.0
    for idx in torch.randperm(len(x_train)).split(50):
        opt.zero_grad()
        loss = loss_fn(model(x_train[idx]), y_train[idx])
        loss.backward()
        opt.step()
        total += loss.item()
    print(f"epoch {epoch:2d}  bce {total / 30:.4f}")

model.eval()
with torch.no_grad():
    tags = (model(x_val) >= 0.5).float()
exact = (tags == y_val).all(dim=1).float().mean().item()
print(f"metric=exact_match value={exact:.4f}")
