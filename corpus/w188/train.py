import os

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

seed = int(os.environ.get("SEED", "0"))
torch.manual_seed(seed)
np.random.seed(seed)


class LoRALinear(nn.Module):
    def __init__(self, base, rank=8, alpha=16):
        super().__init__()
        self.base = base
        for p in self.base.parameters():
            p.requires_grad_(False)
        self.lora_A = nn.Parameter(torch.randn(rank, base.in_features) / base.in_features ** 0.5)
        self.lora_B = nn.Parameter(torch.zeros(base.out_features, rank))
        self.scale = alpha / rank

    def forward(self, x):
        return self.base(x) + self.scale * (x @ self.lora_A.T) @ self.lora_B.T


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(64, 128)
        self.fc2 = nn.Linear(128, 64)
        self.head = nn.Linear(64, 10)

    def forward(self, x):
        return self.head(F.gelu(self.fc2(F.gelu(self.fc1(x)))))


def fit(model, x, y, epochs, lr):
    params = [p for p in model.parameters() if p.requires_grad]
    print(f"training {sum(p.numel() for p in params)} parameters")
    optimizer = torch.optim.AdamW(params, lr=lr, weight_decay=0.01)
    for epoch in range(epochs):
        for idx in torch.randperm(len(x)).split(32):
            with torch.autocast("cpu", dtype=torch.bfloat16):
                loss = F.cross_entropy(model(x[idx]).float(), y[idx])
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
        if (epoch + 1) % 5 == 0:
            print(f"epoch {epoch + 1} loss {loss.item():.4f}")


@torch.no_grad()
def accuracy(model, x, y):
    return (model(x).argmax(1) == y).float().mean().item()


digits = load_digits()
upright = digits.images / 16.0
turned = np.rot90(upright, axes=(1, 2)).copy()
idx_a, idx_b = train_test_split(np.arange(len(upright)), test_size=0.3, random_state=seed, stratify=digits.target)
as_x = lambda im, idx: torch.tensor(im[idx].reshape(len(idx), -1), dtype=torch.float32)
ya, yb = torch.tensor(digits.target[idx_a]), torch.tensor(digits.target[idx_b])

model = Classifier()
fit(model, as_x(upright, idx_a), ya, epochs=15, lr=2e-3)
print(f"upright {accuracy(model, as_x(upright, idx_b), yb):.3f}  turned {accuracy(model, as_x(turned, idx_b), yb):.3f}")

model.fc1 = LoRALinear(model.fc1)
model.fc2 = LoRALinear(model.fc2)
for p in model.head.parameters():
    p.requires_grad_(False)
fit(model, as_x(turned, idx_a), ya, epochs=25, lr=3e-3)
print(f"metric=accuracy value={accuracy(model, as_x(turned, idx_b), yb):.4f}")
