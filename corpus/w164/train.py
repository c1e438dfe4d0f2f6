import os

import torch
import torch.nn as nn
import torch.nn.functional as F

seed = int(os.environ.get("SEED", "0"))
torch.manual_seed(seed)
VOCAB, SEEN, PAD, CLASSES = 2000, 600, 0, 4


def documents(n):
    label = torch.randint(CLASSES, (n,))
    length = torch.randint(10, 25, (n,))
    common = torch.randint(1, SEEN, (n, 24))
    marked = 1 + label[:, None] * 100 + torch.randint(0, 100, (n, 24))
    ids = torch.where(torch.rand(n, 24) < 0.5, marked, common)
    ids[torch.arange(24)[None] >= length[:, None]] = PAD
    return ids, label


class Classifier(nn.Module):
    def __init__(self, dim=32):
        super().__init__()
        self.words = nn.Embedding(VOCAB, dim, padding_idx=PAD, sparse=True)
        self.score = nn.Linear(dim, 1)
        self.out = nn.Sequential(nn.Linear(dim, 48), nn.ReLU(), nn.Dropout(0.2), nn.Linear(48, CLASSES))

    def forward(self, ids):
        h = self.words(ids)
        a = self.score(torch.tanh(h)).squeeze(-1).masked_fill(ids == PAD, float("-inf")).softmax(1)
        return self.out(torch.einsum("nt,ntd->nd", a, h))


ids, label = documents(4000)
ids_test, label_test = documents(1000)
net = Classifier()
opt_words = torch.optim.SparseAdam([net.words.weight], lr=5e-3)
opt_rest = torch.optim.Adam([p for n, p in net.named_parameters() if not n.startswith("words")], lr=2e-3)
MICRO, ACC = 32, 2

for epoch in range(8):
    net.train()
    chunks = torch.randperm(4000).split(MICRO * ACC)
    for chunk in chunks:
        opt_words.zero_grad()
        opt_rest.zero_grad()
        for part in chunk.split(MICRO):
            loss = F.cross_entropy(net(ids[part]), label[part], reduction="sum") / len(chunk)
            loss.backward()
        opt_words.step()
        opt_rest.step()
    if epoch % 2 == 1:
        print(f"epoch {epoch + 1} loss {loss.item():.4f}")

net.eval()
with torch.no_grad():
    acc = (net(ids_test).argmax(1) == label_test).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
