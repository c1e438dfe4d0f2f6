import os
import torch
import torch.nn as nn

torch.manual_seed(int(os.environ.get("SEED", 0)))
words = "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron pi rho sigma tau".split()
g = torch.Generator().manual_seed(0)
text = " ".join(words[k] for k in torch.randint(0, len(words), (900,), generator=g))
vocab = sorted(set(text))
ids = torch.tensor([vocab.index(c) for c in text])
V, L = len(vocab), 24


class CharRNN(nn.Module):
    def __init__(self, h=48):
        super().__init__()
        self.emb = nn.Embedding(V, 16)
        self.rnn = nn.GRU(16, h, batch_first=True)
        self.out = nn.Linear(h, V)

    def forward(self, s):
        return self.out(self.rnn(self.emb(s))[0])


seqs = ids[: len(ids) // (L + 1) * (L + 1)].view(-1, L + 1)
cut = len(seqs) * 4 // 5
net = CharRNN()
opt = torch.optim.Adam(net.parameters(), lr=5e-3)
for epoch in range(12):
    for i in torch.randperm(cut).split(16):
        opt.zero_grad()
        loss = nn.functional.cross_entropy(net(seqs[i, :-1]).flatten(0, 1), seqs[i, 1:].flatten())
        loss.backward()
        opt.step()
    print(epoch, loss.item())
with torch.no_grad():
    nll = nn.functional.cross_entropy(net(seqs[cut:, :-1]).flatten(0, 1), seqs[cut:, 1:].flatten()).item()
print(f"metric=skill value={1 - nll / torch.tensor(float(V)).log().item():.4f}")
