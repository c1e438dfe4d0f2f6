import os
import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import load_digits

torch.manual_seed(int(os.environ.get("SEED", "0")))

digits = load_digits()
x = torch.tensor(digits.images, dtype=torch.float32).unsqueeze(1) / 16.0
y = torch.tensor(digits.target)
order = torch.randperm(len(y), generator=torch.Generator().manual_seed(8))
x, y = x[order], y[order]
x_train, y_train, x_test, y_test = x[:1450], y[:1450], x[1450:], y[1450:]


class EdgeBank(nn.Module):
    """fixed Sobel and Laplace kernels in front of the learned layers"""

    def __init__(self):
        super().__init__()
        sobel = torch.tensor([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]]) / 4
        laplace = torch.tensor([[0.0, 1, 0], [1, -4, 1], [0, 1, 0]]) / 4
        self.conv = nn.Conv2d(1, 3, 3, padding=1, bias=False)
        self.conv.weight = nn.Parameter(torch.stack([sobel, sobel.t(), laplace]).unsqueeze(1), requires_grad=False)

    def forward(self, x):
        return torch.cat([x, self.conv(x)], dim=1)


model = nn.Sequential(
    EdgeBank(),
    nn.Conv2d(4, 16, 3, padding=1), nn.GroupNorm(4, 16), nn.ReLU(),
    nn.MaxPool2d(2),
    nn.Conv2d(16, 32, 3, padding=1), nn.GroupNorm(4, 32), nn.ReLU(),
    nn.AdaptiveAvgPool2d(2), nn.Flatten(),
    nn.Linear(128, 10),
)
trainable = [p for p in model.parameters() if p.requires_grad]
optimizer = torch.optim.SGD(trainable, lr=0.1, momentum=0.9, nesterov=True, weight_decay=5e-4)

micro_batch, accumulate = 8, 8
n_updates = 8 * (len(x_train) // (micro_batch * accumulate))
scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.1, total_steps=n_updates, pct_start=0.25)

for epoch in range(8):
    order = torch.randperm(len(x_train))
    running = 0.0
    chunks = order.split(micro_batch)
    usable = len(chunks) // accumulate * accumulate
    for step, idx in enumerate(chunks[:usable], start=1):
        loss = F.cross_entropy(model(x_train[idx]), y_train[idx])
        (loss / accumulate).backward()
        running += loss.item()
        if step % accumulate == 0:
            optimizer.step()
            scheduler.step()
            optimizer.zero_grad()
    print(f"epoch {epoch + 1:2d} loss {running / usable:.4f} lr {scheduler.get_last_lr()[0]:.4f}")

model.eval()
with torch.no_grad():
    acc = (model(x_test).argmax(1) == y_test).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
