import os
import numpy as np
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, Dataset

SEED = int(os.environ.get("SEED", "0"))
torch.manual_seed(SEED)
np.random.seed(SEED)
PAD, VOCAB, MAXLEN = 0, 30, 16


class Reviews(Dataset):
    """token ids; the label says which group of words is the more frequent one"""

    def __init__(self, n):
        self.rows = []
        for _ in range(n):
            length = np.random.binomial(MAXLEN, 0.3)
            ids = np.random.randint(1, VOCAB, length)
            label = int((ids < 10).sum() > (ids >= 20).sum())
            self.rows.append((ids, label))

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, i):
        return self.rows[i]


def collate(batch):
    ids = torch.full((len(batch), MAXLEN), PAD)
    for k, (row, _) in enumerate(batch):
        ids[k, :len(row)] = torch.from_numpy(row)
    return ids, torch.tensor([label for _, label in batch])


class SelfAttention(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(dim, 3 * dim)
        self.proj = nn.Linear(dim, dim)

    def forward(self, x, pad):
        B, T, C = x.shape
        q, k, v = self.qkv(x).view(B, T, 3, self.heads, C // self.heads).permute(2, 0, 3, 1, 4)
        scores = q @ k.transpose(-2, -1) / (C // self.heads) ** 0.5
        scores = scores.masked_fill(pad[:, None, None, :], torch.finfo(scores.dtype).min)
        out = scores.softmax(-1) @ v
        return self.proj(out.transpose(1, 2).reshape(B, T, C))


class Classifier(nn.Module):
    def __init__(self, dim=32):
        super().__init__()
        self.emb = nn.Embedding(VOCAB, dim, padding_idx=PAD)
        self.norm = nn.LayerNorm(dim)
        self.attn = SelfAttention(dim, 4)
        self.fc = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, 32), nn.GELU(), nn.Linear(32, 2))

    def forward(self, ids):
        pad = ids == PAD
        x = self.emb(ids)
        x = x + self.attn(self.norm(x), pad)
        keep = (~pad).unsqueeze(-1).float()
        pooled = (x * keep).sum(1) / keep.sum(1).clamp(min=1)
        return self.fc(pooled)


train_loader = DataLoader(Reviews(2000), batch_size=64, shuffle=True, collate_fn=collate)
test_loader = DataLoader(Reviews(600), batch_size=200, collate_fn=collate)
model = Classifier()
opt = torch.optim.AdamW(model.parameters(), lr=2e-3)
for epoch in range(12):
    total = 0.0
    for ids, label in train_loader:
        loss = nn.functional.cross_entropy(model(ids), label)
        opt.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        opt.step()
        total += loss.item()
    print(f"epoch {epoch} loss {total / len(train_loader):.4f}")

right = count = 0
with torch.no_grad():
    for ids, label in test_loader:
        right += (model(ids).argmax(1) == label).sum().item()
        count += len(label)
print(f"metric=accuracy value={right / count:.4f}")
