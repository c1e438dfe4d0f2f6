import os
import torch
import torch.nn as nn

torch.manual_seed(int(os.environ.get("SEED", 0)))
g = torch.Generator().manual_seed(21)
N, T, V = 800, 12, 20

lengths = torch.randint(3, T + 1, (N,), generator=g)
tokens = torch.randint(1, V, (N, T), generator=g)
mask = (torch.arange(T)[None, :] < lengths[:, None]).float()
tokens = (tokens * mask).long()
labels = ((tokens == 3) | (tokens == 7)).any(1).long()


class SelfAttention(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.q = nn.Linear(dim, dim)
        self.k = nn.Linear(dim, dim)
        self.v = nn.Linear(dim, dim)
        self.scale = dim ** -0.5

    def forward(self, x, mask):
        scores = self.q(x) @ self.k(x).transpose(1, 2) * self.scale
        bias = (1.0 - mask)[:, None, :] * float("-inf")
        weights = torch.softmax(scores + bias, dim=-1)
        return x + weights @ self.v(x)


class Tagger(nn.Module):
    def __init__(self, dim=24):
        super().__init__()
        self.embed = nn.Embedding(V, dim, padding_idx=0)
        self.attention = SelfAttention(dim)
        self.norm = nn.LayerNorm(dim)
        self.head = nn.Linear(dim, 2)

    def forward(self, tokens, mask):
        h = self.norm(self.attention(self.embed(tokens), mask))
        h = (h * mask[:, :, None]).sum(1) / mask.sum(1, keepdim=True)
        return self.head(h)


model = Tagger()
opt = torch.optim.Adam(model.parameters(), lr=4e-3)
ce = nn.CrossEntropyLoss()
for epoch in range(20):
    for idx in torch.randperm(640).split(32):
        opt.zero_grad()
        loss = ce(model(tokens[idx], mask[idx]), labels[idx])
        loss.backward()
        opt.step()
    if epoch % 5 == 0:
        print("epoch", epoch, "loss", loss.item())

model.eval()
with torch.no_grad():
    acc = (model(tokens[640:], mask[640:]).argmax(1) == labels[640:]).float().mean()
print(f"metric=accuracy value={acc.item():.4f}")
