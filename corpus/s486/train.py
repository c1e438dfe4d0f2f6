import os

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

SEED = int(os.environ.get("SEED", "0"))
torch.manual_seed(SEED)
np.random.seed(SEED)
dtype = torch.float16


class MixerBlock(nn.Module):
    def __init__(self, tokens, dim):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.token_mix = nn.Sequential(nn.Linear(tokens, 32), nn.GELU(), nn.Linear(32, tokens))
        self.channel_mix = nn.Sequential(nn.Linear(dim, 64), nn.GELU(), nn.Linear(64, dim))

    def forward(self, x):
        x = x + self.token_mix(self.norm1(x).transpose(1, 2)).transpose(1, 2)
        return x + self.channel_mix(self.norm2(x))


class Mixer(nn.Module):
    def __init__(self, dim=32, depth=2):
        super().__init__()
        self.patch = nn.Linear(8, dim)
        self.blocks = nn.Sequential(*[MixerBlock(8, dim) for _ in range(depth)])
        self.norm = nn.LayerNorm(dim)
        self.fc = nn.Linear(dim, 10)

    def forward(self, x):
        return self.fc(self.norm(self.blocks(self.patch(x))).mean(1))


digits = load_digits()
x_tr, x_te, y_tr, y_te = train_test_split(digits.images / 16, digits.target, test_size=0.25, random_state=SEED)
x_tr, x_te = torch.tensor(x_tr, dtype=dtype), torch.tensor(x_te, dtype=dtype)
y_tr, y_te = torch.tensor(y_tr), torch.tensor(y_te)

model = Mixer().to(dtype)
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)

for epoch in range(8):
    model.train()
    running = 0.0
    for idx in torch.randperm(len(x_tr)).split(64):
        optimizer.zero_grad()
        out = model(x_tr[idx])
        loss = F.cross_entropy(out.float(), y_tr[idx])
        loss.backward()
        optimizer.step()
        running += loss.item() * len(idx)
    print(f"Epoch {epoch + 1} loss {running / len(x_tr):.4f}")

model.eval()
with torch.no_grad():
    acc = (model(x_te).argmax(1) == y_te).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
