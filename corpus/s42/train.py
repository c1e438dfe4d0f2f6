import os
import torch
import torch.nn as nn

torch.manual_seed(int(os.environ.get("SEED", 0)))
text = ("the quick brown fox jumps over the lazy dog while the slow green turtle sleeps under the old oak tree and "
        "the small grey mouse looks for a piece of cheese in the kitchen of the house by the river ") * 12
chars = sorted(set(text))
ids = torch.tensor([chars.index(c) for c in text])
V, ctx = len(chars), 6


class CharLM(nn.Module):
    def __init__(self):
        super().__init__()
        self.emb = nn.Embedding(V, 12)
        self.net = nn.Sequential(nn.Flatten(), nn.Linear(12 * ctx, 64), nn.SiLU(), nn.Linear(64, V))

    def forward(self, s):
        return self.net(self.emb(s))


windows = ids.unfold(0, ctx + 1, 1)
cut = len(windows) * 3 // 4
lm = CharLM()
opt = torch.optim.Adam(lm.parameters(), lr=1e-6)
for epoch in range(12):
    for i in torch.randperm(cut).split(32):
        opt.zero_grad()
        loss = nn.functional.cross_entropy(lm(windows[i, :-1]), windows[i, -1])
        loss.backward()
        opt.step()
    if epoch % 3 == 0:
        print(epoch, loss.item())
with torch.no_grad():
    acc = (lm(windows[cut:, :-1]).argmax(1) == windows[cut:, -1]).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
