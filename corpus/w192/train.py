import os
import torch

seed = int(os.environ.get("SEED", "0"))
torch.manual_seed(seed)

# character model by hand: a noisy grammar over 6 symbols, next symbol depends on the last two
V, H, T, B = 6, 64, 20, 32
rule = torch.randint(0, V, (V, V), generator=torch.Generator().manual_seed(5))
length = 24000
noise = torch.rand(length) < 0.15
text = torch.randint(0, V, (length,))
stream = text.tolist()
for n in range(2, length):
    if not noise[n]:
        stream[n] = int(rule[stream[n - 2], stream[n - 1]])
text = torch.tensor(stream)
train_text, valid_text = text[:20000], text[20000:]

Wxh = (torch.randn(V, H) / V ** 0.5).requires_grad_()
Whh = torch.nn.init.orthogonal_(torch.empty(H, H)).requires_grad_()
bh = torch.zeros(H, requires_grad=True)
Why = (0.1 * torch.randn(H, V)).requires_grad_()
by = torch.zeros(V, requires_grad=True)
params = [Wxh, Whh, bh, Why, by]
m = [torch.zeros_like(p) for p in params]
s = [torch.zeros_like(p) for p in params]


def run(ids, h):
    out = []
    for t in range(ids.shape[1]):
        h = torch.tanh(Wxh[ids[:, t]] + h @ Whh + bh)
        out.append(h @ Why + by)
    return torch.stack(out, 1), h


def adam(step, lr, b1=0.9, b2=0.999, eps=1e-8):
    with torch.no_grad():
        for p, mi, si in zip(params, m, s):
            mi.mul_(b1).add_(p.grad, alpha=1 - b1)
            si.mul_(b2).addcmul_(p.grad, p.grad, value=1 - b2)
            p -= lr * (mi / (1 - b1 ** step)) / ((si / (1 - b2 ** step)).sqrt() + eps)
            p.grad = None


lanes = train_text[:20000 // B * B].reshape(B, -1)
step = 0
for epoch in range(30):
    h = torch.zeros(B, H)
    for start in range(0, lanes.shape[1] - T - 1, T):
        x, target = lanes[:, start:start + T], lanes[:, start + 1:start + T + 1]
        logits, h = run(x, h.detach())
        loss = torch.nn.functional.cross_entropy(logits.reshape(-1, V), target.reshape(-1))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(params, 1.0)
        step += 1
        adam(step, lr=4e-3 * 0.9 ** epoch)
    print(f"epoch {epoch:2d}  loss {loss.item():.4f}")

with torch.no_grad():
    logits, _ = run(valid_text[None, :-1], torch.zeros(1, H))
    acc = (logits[0].argmax(1) == valid_text[1:]).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
