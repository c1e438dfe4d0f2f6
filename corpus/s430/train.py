import math
import os

import numpy as np
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, Dataset

SEED = int(os.environ.get("SEED", "0"))
torch.manual_seed(SEED)
rng = np.random.RandomState(SEED)
PAD, VOCAB, MAX_LEN = 0, 30, 12


class ReviewDataset(Dataset):
    """user comments as token ids; a profile vector comes with each of them"""

    def __init__(self, n):
        self.samples = []
        for _ in range(n):
            length = max(0, int(rng.normal(6, 2.2)))
            ids = rng.randint(1, VOCAB, min(length, MAX_LEN)).tolist()
            profile = rng.randn(4).astype(np.float32)
            score = sum(1 if t > 20 else -1 if t < 9 else 0 for t in ids) + 1.5 * profile[0]
            self.samples.append((ids, profile, int(score > 0)))

    def __len__(self):
        return len(self.samples)

    def __getitem__(self, i):
        return self.samples[i]


def collate(batch):
    ids = torch.full((len(batch), MAX_LEN), PAD)
    for row, (tokens, _, _) in enumerate(batch):
        ids[row, :len(tokens)] = torch.tensor(tokens, dtype=torch.long)
    profile = torch.tensor(np.stack([b[1] for b in batch]))
    return ids, profile, torch.tensor([b[2] for b in batch])


class SelfAttention(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.heads, self.d = heads, dim // heads
        self.qkv = nn.Linear(dim, 3 * dim)
        self.out = nn.Linear(dim, dim)

    def forward(self, x, mask):
        B, T, D = x.shape
        q, k, v = self.qkv(x).view(B, T, 3, self.heads, self.d).permute(2, 0, 3, 1, 4)
        scores = q @ k.transpose(-2, -1) / math.sqrt(self.d)
        scores = scores.masked_fill(mask[:, None, None, :], float("-inf"))
        att = scores.softmax(dim=-1)
        return self.out((att @ v).transpose(1, 2).reshape(B, T, D))


class CommentClassifier(nn.Module):
    def __init__(self, dim=32):
        super().__init__()
        self.emb = nn.Embedding(VOCAB, dim, padding_idx=PAD)
        self.attn = SelfAttention(dim, heads=4)
        self.norm = nn.LayerNorm(dim)
        self.head = nn.Sequential(nn.Linear(dim + 4, 32), nn.ReLU(), nn.Linear(32, 2))

    def forward(self, ids, profile):
        mask = ids == PAD
        h = self.emb(ids)
        h = self.norm(h + self.attn(h, mask))
        keep = (~mask).unsqueeze(-1).float()
        pooled = (h * keep).sum(1) / math.sqrt(MAX_LEN)
        return self.head(torch.cat([pooled, profile], dim=1))


train_loader = DataLoader(ReviewDataset(1600), batch_size=32, shuffle=True, collate_fn=collate)
test_loader = DataLoader(ReviewDataset(600), batch_size=100, collate_fn=collate)
model = CommentClassifier()
optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
criterion = nn.CrossEntropyLoss()

for epoch in range(12):
    model.train()
    for ids, profile, label in train_loader:
        optimizer.zero_grad()
        loss = criterion(model(ids, profile), label)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    print(f"epoch {epoch + 1} loss {loss.item():.4f}")

model.eval()
correct = 0
with torch.no_grad():
    for ids, profile, label in test_loader:
        correct += (model(ids, profile).argmax(1) == label).sum().item()
print(f"metric=accuracy value={correct / len(test_loader.dataset):.4f}")
