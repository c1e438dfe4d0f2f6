import os
import torch
import torch.nn as nn
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

torch.manual_seed(int(os.environ.get("SEED", 0)))
digits = load_digits()
x = torch.tensor(digits.images, dtype=torch.float32).unsqueeze(1) / 16
label = torch.tensor(digits.target)
xtr, xte, ytr, yte = train_test_split(x, label, test_size=400, random_state=0)


class DigitNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(16, 24, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1),
        )
        self.head = nn.Sequential(nn.Flatten(), nn.Linear(24, 10))

    def embed(self, images):
        return self.features(images)

    def forward(self, images):
        return self.head(self.embed(images))


net = DigitNet()
optimizer = torch.optim.AdamW(net.parameters(), lr=3e-3)
for epoch in range(12):
    net.train()
    for i in torch.randperm(len(xtr)).split(64):
        loss = nn.functional.cross_entropy(net(xtr[i]), ytr[i])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    net.eval()
    with torch.no_grad():
        print(f"epoch {epoch}: val accuracy {(net(xte).argmax(1) == yte).float().mean():.3f}")
acc = (net(xte).argmax(1) == yte).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
