import os
import math
import torch

g = torch.Generator().manual_seed(int(os.environ.get("SEED", 0)))

# little "language": words chosen at random, next letter inside a word is predictable
words = ["banana", "tomato", "potato", "pepper", "onion", "carrot", "lettuce", "melon"]
picks = torch.randint(len(words), (1400,), generator=g).tolist()
text = " ".join(words[i] for i in picks)
chars = sorted(set(text))
stoi = {c: i for i, c in enumerate(chars)}
data = torch.tensor([stoi[c] for c in text])
cut = int(0.85 * len(data))
train_data, test_data = data[:cut], data[cut:]

V, H, T, B = len(chars), 48, 20, 32
W_xh = torch.randn(V, H, generator=g) / math.sqrt(V)
W_hh = torch.randn(H, H, generator=g) / math.sqrt(H)
b_h = torch.zeros(H)
W_hy = torch.randn(H, V, generator=g) / math.sqrt(H)
b_y = torch.zeros(V)
params = [W_xh, W_hh, b_h, W_hy, b_y]
for p in params:
    p.requires_grad = True


def rnn(idx):
    h = torch.zeros(idx.shape[0], H)
    outs = []
    for t in range(idx.shape[1]):
        h = torch.tanh(W_xh[idx[:, t]] + h @ W_hh + b_h)
        outs.append(h @ W_hy + b_y)
    return torch.stack(outs, 1)


def get_batch(d):
    start = torch.randint(len(d) - T - 1, (B,), generator=g)
    x = torch.stack([d[s:s + T] for s in start.tolist()])
    y = torch.stack([d[s + 1:s + T + 1] for s in start.tolist()])
    return x, y


lr = 0.2
for step in range(700):
    x, y = get_batch(train_data)
    logits = rnn(x)
    loss = torch.nn.functional.cross_entropy(logits.reshape(-1, V), y.reshape(-1))

    W_xh.grad, b_h.grad = None, None
    W_hy.grad, b_y.grad = None, None
    loss.backward()
    with torch.no_grad():
        for p in params:
            p -= lr * p.grad
    if step % 100 == 0:
        print(f"step {step} loss {loss.item():.4f}")

n = (len(test_data) - 1) // T
x = test_data[:n * T].view(n, T)
y = test_data[1:n * T + 1].view(n, T)
with torch.no_grad():
    acc = (rnn(x).argmax(-1) == y).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
