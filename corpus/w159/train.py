import os
import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

torch.manual_seed(int(os.environ.get("SEED", "0")))

digits = load_digits()
xa, xb, ya, yb = train_test_split(digits.images / 8.0 - 1.0, digits.target, test_size=0.3, random_state=11,
                                  stratify=digits.target)
xa, xb = (torch.tensor(v, dtype=torch.float32).unsqueeze(1) for v in (xa, xb))
ya, yb = torch.tensor(ya), torch.tensor(yb)


class EdgeNet(nn.Module):
    """Fixed Sobel and Laplace filters next to the picture itself, then a small trained network."""

    def __init__(self):
        super().__init__()
        sx = torch.tensor([[-1., 0., 1.], [-2., 0., 2.], [-1., 0., 1.]]) / 4
        lap = torch.tensor([[0., 1., 0.], [1., -4., 1.], [0., 1., 0.]]) / 4
        self.edges = nn.Conv2d(1, 3, 3, padding=1, bias=False)
        self.edges.weight.data = torch.stack([sx, sx.t(), lap]).unsqueeze(1)
        self.edges.weight.requires_grad_(False)
        self.conv = nn.Conv2d(4, 24, 3, padding=1)
        self.fc1 = nn.Linear(24 * 16, 64)
        self.fc2 = nn.Linear(64, 10)

    def forward(self, x):
        x = torch.cat([x, self.edges(x)], dim=1)
        x = F.max_pool2d(F.relu(self.conv(x)), 2)
        return self.fc2(F.relu(self.fc1(x.flatten(1))))


model = EdgeNet()
optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.05, momentum=0.9)
MICRO, ACCUMULATE = 16, 4

for epoch in range(20):
    micro_batches = torch.randperm(len(xa)).split(MICRO)
    usable = len(micro_batches) // ACCUMULATE * ACCUMULATE
    optimizer.zero_grad()
    for i, rows in enumerate(micro_batches[:usable]):
        loss = F.cross_entropy(model(xa[rows]), ya[rows])
        (loss / ACCUMULATE).backward()
        if (i + 1) % ACCUMULATE == 0:
            optimizer.step()
            optimizer.zero_grad()
    if epoch % 4 == 0:
        print(f"epoch {epoch} loss {loss.item():.4f}")

with torch.no_grad():
    accuracy = (model(xb).argmax(1) == yb).float().mean().item()
print(f"metric=accuracy value={accuracy:.4f}")
