import os
import torch
import torch.nn.functional as F

seed = int(os.environ.get("SEED", "0"))
g = torch.Generator().manual_seed(seed)

AMINO = "ACDEFGHIKLMNPQRSTVWY"
LENGTH, EMB, HID = 8, 6, 80

hydropathy = torch.randn(len(AMINO), generator=g)
peptides = torch.randint(0, len(AMINO), (5000, LENGTH), generator=g)
value = hydropathy[peptides]
score = value.sum(1) + 0.7 * (value[:, 1:] * value[:, :-1]).sum(1)
binds = (score > score.median()).long()
Xtr, Ytr, Xte, Yte = peptides[:4000], binds[:4000], peptides[4000:], binds[4000:]

C = torch.randn((len(AMINO), EMB), generator=g)
sizes = [(LENGTH * EMB, HID)] + [(HID, HID)] * 6
weights = [torch.randn(s, generator=g) * s[0] ** -0.5 for s in sizes]
biases = [torch.zeros(HID) for _ in sizes]
W_out = torch.randn((HID, 2), generator=g) * 0.1
b_out = torch.zeros(2)
parameters = [C, *weights, *biases, W_out, b_out]
for p in parameters:
    p.requires_grad = True


def logits_of(x):
    h = C[x].view(len(x), -1)
    for W, b in zip(weights, biases):
        h = torch.tanh(h @ W + b)
    return h @ W_out + b_out


for i in range(3500):
    ix = torch.randint(0, len(Xtr), (64,), generator=g)
    loss = F.cross_entropy(logits_of(Xtr[ix]), Ytr[ix])
    for p in parameters:
        p.grad = None
    loss.backward()
    lr = 0.1 if i < 2800 else 0.02
    for p in parameters:
        p.data += -lr * p.grad
    if i % 500 == 0:
        print(f"{i:5d} {loss.item():.4f}")

with torch.no_grad():
    acc = (logits_of(Xte).argmax(1) == Yte).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
