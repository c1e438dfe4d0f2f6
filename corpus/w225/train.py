import os
import random
import torch
import torch.nn.functional as F

seed = int(os.environ.get("SEED", "0"))
random.seed(seed)
g = torch.Generator().manual_seed(seed)

onset = ["b", "d", "k", "l", "m", "n", "r", "s", "t", "v", "sh", "th"]
vowel = ["a", "e", "i", "o", "u"]
coda = ["", "", "", "n", "l", "r"]


def make_name():
    parts = []
    for _ in range(random.choice([2, 2, 3])):
        parts.append(random.choice(onset) + random.choice(vowel))
    return "".join(parts) + random.choice(coda)


words = [make_name() for _ in range(3500)]
alphabet = ".abcdefghijklmnopqrstuvwxyz"
stoi = {ch: i for i, ch in enumerate(alphabet)}
block_size = 3


def build(names):
    X, Y = [], []
    for w in names:
        ctx = [0] * block_size
        for ch in w + ".":
            X.append(ctx)
            Y.append(stoi[ch])
            ctx = ctx[1:] + [stoi[ch]]
    return torch.tensor(X), torch.tensor(Y)


Xtr, Ytr = build(words[:3000])
Xdev, Ydev = build(words[3000:])

n_embd, n_hidden = 8, 80
C = torch.randn((27, n_embd), generator=g)
W1 = torch.randn((n_embd * block_size, n_hidden), generator=g) * (5 / 3) / (n_embd * block_size) ** 0.5
b1 = torch.randn(n_hidden, generator=g) * 0.01
W2 = torch.randn((n_hidden, 27), generator=g) * 0.01
b2 = torch.zeros(27)
parameters = [C, W1, b1, W2, b2]
for p in parameters:
    p.requires_grad = True


def logits_of(X):
    h = torch.tanh(C[X].view(len(X), -1) @ W1 + b1)
    return h @ W2 + b2


max_steps = 8000
for i in range(max_steps):
    ix = torch.randint(0, len(Xtr), (64,), generator=g)
    loss = F.cross_entropy(logits_of(Xtr[ix]), Ytr[ix])
    for p in parameters:
        p.grad = None
    loss.backward()
    lr = 0.1 if i < 6000 else 0.01
    for p in parameters:
        p.data += -lr * p.grad
    if i % 1000 == 0:
        print(f"{i:7d}/{max_steps:7d}: {loss.item():.4f}")

with torch.no_grad():
    logits = logits_of(Xdev)
    print("train", F.cross_entropy(logits_of(Xtr), Ytr).item(), "dev", F.cross_entropy(logits, Ydev).item())
    acc = (logits.argmax(1) == Ydev).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
