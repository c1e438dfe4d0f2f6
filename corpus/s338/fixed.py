import os
import torch
import torch.nn as nn
from sklearn.datasets import load_digits

seed = int(os.environ.get("SEED", 0))
torch.manual_seed(seed)
torch.set_num_threads(1)

digits = load_digits()
images = torch.tensor(digits.images, dtype=torch.float32).unsqueeze(1)
images = (images - images.mean()) / images.std()
labels = torch.tensor(digits.target)
perm = torch.randperm(len(images), generator=torch.Generator().manual_seed(seed))
train_idx, test_idx = perm[:1400], perm[1400:]


class Residual(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.conv = nn.Conv2d(c, c, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(c)

    def forward(self, x):
        return torch.relu(x + self.norm(self.conv(x)))


model = nn.Sequential(
    nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(),
    Residual(16), nn.MaxPool2d(2), Residual(16),
    nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(64, 10),
)
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-4)
epochs, batch = 5, 56
scheduler = torch.optim.lr_scheduler.OneCycleLR(
    optimizer, max_lr=0.1, total_steps=epochs * (len(train_idx) // batch))
scaler = torch.amp.GradScaler("cpu", init_scale=2.0 ** 16)

for epoch in range(epochs):
    model.train()
    for idx in train_idx[torch.randperm(len(train_idx))].split(batch):
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = criterion(model(images[idx]), labels[idx])
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
        torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm=1.0)
        scaler.step(optimizer)
        scaler.update()
        scheduler.step()
    print(f"epoch {epoch + 1}/{epochs} loss {loss.item():.4f} scale {scaler.get_scale():.0f}")

model.eval()
with torch.no_grad():
    acc = (model(images[test_idx]).argmax(1) == labels[test_idx]).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
