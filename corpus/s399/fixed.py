import os
import torch
import torch.nn as nn
import torch.nn.functional as F

seed = int(os.environ.get("SEED", "0"))
torch.manual_seed(seed)

LEVELS = torch.tensor([0.4, 0.8, 1.6])


def make_recordings(n, length=64):
    """Vibration recordings, labelled by the severity of the vibration."""
    y = torch.randint(0, 3, (n,))
    t = torch.arange(length) / length
    f = 3 + 9 * torch.rand(n, 1)
    phase = 6.2832 * torch.rand(n, 1)
    wave = torch.sin(6.2832 * f * t + phase) + 0.4 * torch.randn(n, length)
    return (LEVELS[y].unsqueeze(1) * wave).unsqueeze(1), y


class VibrationNet(nn.Module):
    def __init__(self, ch=12):
        super().__init__()
        self.conv1 = nn.Conv1d(1, ch, 5, padding=2, bias=False)
        self.bn1 = nn.BatchNorm1d(ch)
        self.conv2 = nn.Conv1d(ch, 2 * ch, 5, stride=2, padding=2, bias=False)
        self.bn2 = nn.BatchNorm1d(2 * ch)
        self.fc = nn.Linear(2 * ch, 3)

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        x = F.relu(self.bn2(self.conv2(x)))
        return self.fc(x.mean(dim=2))


x_train, y_train = make_recordings(480)
x_val, y_val = make_recordings(600)

net = VibrationNet()
optimizer = torch.optim.Adam(net.parameters(), lr=5e-3)
batch_size, accum_steps, epochs = 16, 1, 8

for epoch in range(epochs):
    net.train()
    total, optimizer_steps = 0.0, 0
    optimizer.zero_grad()
    for i, idx in enumerate(torch.randperm(len(x_train)).split(batch_size)):
        loss = F.cross_entropy(net(x_train[idx]), y_train[idx])
        (loss / accum_steps).backward()
        total += loss.item() * len(idx)
        if (i + 1) % accum_steps == 0:
            optimizer.step()
            optimizer.zero_grad()
            optimizer_steps += 1
    net.eval()
    with torch.no_grad():
        val = (net(x_val).argmax(1) == y_val).float().mean().item()
    print(f"epoch {epoch} loss {total / len(x_train):.4f} val acc {val:.3f} ({optimizer_steps} steps)")

print(f"metric=accuracy value={val:.4f}")
