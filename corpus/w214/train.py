import os
import random
import torch
import torch.nn.functional as F

seed = int(os.environ.get("SEED", "0"))
torch.manual_seed(seed)
random.seed(seed)

# a counting song
numbers = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]
animals = ["hens", "mice", "geese", "goats", "crows"]


def verse(k):
    return f"{numbers[k]} {random.choice(animals)} and {numbers[(k + 1) % 10]}.\n"


text = "".join(verse(i % 10) for i in range(900))
chars = sorted(set(text))
ix = {c: i for i, c in enumerate(chars)}
data = torch.tensor([ix[c] for c in text])
V, H, T, B = len(chars), 64, 25, 16
split = int(0.9 * len(data))
train, test = data[:split], data[split:]
stream = train[:len(train) // B * B].view(B, -1)

Wxh = torch.randn(V, H) * 0.2
Whh = torch.randn(H, H) * H ** -0.5
bh = torch.zeros(H)
Why = torch.randn(H, V) * H ** -0.5
by = torch.zeros(V)
params = [p.requires_grad_() for p in (Wxh, Whh, bh, Why, by)]
mem = [torch.full_like(p, 0.01) for p in params]


def run(inputs, h):
    logits = []
    for t in range(inputs.shape[1]):
        h = torch.tanh(Wxh[inputs[:, t]] + h @ Whh + bh)
        logits.append(h @ Why + by)
    return torch.stack(logits, 1), h


h, p, smooth = torch.zeros(B, H), 0, None
for n in range(1400):
    if p + T + 1 >= stream.shape[1]:
        h, p = torch.zeros(B, H), 0
    x, y = stream[:, p:p + T], stream[:, p + 1:p + T + 1]
    logits, h = run(x, h.detach())
    loss = F.cross_entropy(logits.reshape(-1, V), y.reshape(-1))
    for q in params:
        q.grad = None
    loss.backward()
    with torch.no_grad():
        for q, m in zip(params, mem):
            g = q.grad.clamp(-5, 5)
            m += g * g
            q -= 0.08 * g / (m + 1e-8).sqrt()
    p += T
    smooth = loss.item() if smooth is None else 0.98 * smooth + 0.02 * loss.item()
    if n % 200 == 0:
        print(f"iter {n} loss {smooth:.4f}")

with torch.no_grad():
    logits, _ = run(test[None, :-1], torch.zeros(1, H))
    acc = (logits[0].argmax(1) == test[1:]).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
