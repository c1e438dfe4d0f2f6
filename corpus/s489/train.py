import os
import torch
import torch.nn.functional as F

torch.manual_seed(int(os.environ.get("SEED", "0")))

# temporal order: two of the symbols are X or Y, the rest are distractors;
# tell XX, XY, YX and YY apart at the end of the sequence
seq_length, hidden_size, batch_size, vocab_size = 24, 48, 48, 6


def make_batch(n):
    ids = torch.randint(2, vocab_size, (n, seq_length))
    rows = torch.arange(n)
    first, second = torch.randint(0, 2, (n,)), torch.randint(0, 2, (n,))
    ids[rows, torch.randint(1, 5, (n,))] = first
    ids[rows, torch.randint(6, 9, (n,))] = second
    return F.one_hot(ids, vocab_size).float().transpose(0, 1), 2 * first + second


# model parameters
Wxh = torch.randn(vocab_size, hidden_size) * 0.5
Whh = torch.randn(hidden_size, hidden_size) * 0.01
Why = torch.randn(hidden_size, 4) * 0.1
bh, by = torch.zeros(hidden_size), torch.zeros(4)
params = [Wxh, Whh, Why, bh, by]
for p in params:
    p.requires_grad_(True)
mem = [torch.zeros_like(p) for p in params]


def forward(xs):
    h = torch.zeros(xs.shape[1], hidden_size)
    for x in xs:
        h = torch.tanh(x @ Wxh + h @ Whh + bh)
    return h @ Why + by


smooth_loss = 1.386
for n in range(1500):
    inputs, targets = make_batch(batch_size)
    loss = F.cross_entropy(forward(inputs), targets)
    grads = torch.autograd.grad(loss, params)
    norm = sum(g.pow(2).sum() for g in grads).sqrt()
    with torch.no_grad():
        for p, g, m in zip(params, grads, mem):
            g = g * (1.0 / norm).clamp(max=1.0)
            m.mul_(0.95).add_(0.05 * g * g)
            p -= 2e-3 * g / (m + 1e-8).sqrt()
    smooth_loss = smooth_loss * 0.99 + loss.item() * 0.01
    if n % 250 == 0:
        print(f"iter {n}, loss: {smooth_loss:.4f}")

with torch.no_grad():
    inputs, targets = make_batch(2000)
    acc = (forward(inputs).argmax(1) == targets).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
