"""Character model of a bracket language, one long stream, truncated backpropagation through time."""
import os
import torch
import torch.nn as nn

seed = int(os.environ.get("SEED", 0))
torch.manual_seed(seed)
gen = torch.Generator().manual_seed(1000 + seed)

alphabet = "()[]ab."
OPEN = {0: 1, 2: 3}


def make_stream(n):
    out, stack = [], []
    while len(out) < n:
        r = torch.rand((), generator=gen).item()
        if stack and (r < 0.45 or len(stack) >= 2):
            out.append(OPEN[stack.pop()])
        elif r < 0.8:
            k = 0 if torch.rand((), generator=gen).item() < 0.5 else 2
            stack.append(k)
            out.append(k)
        else:
            out += [4, 5]
        if not stack:
            out.append(6)
    return torch.tensor(out[:n])


stream = make_stream(16 * 600)
held = make_stream(1500)
lanes = stream.view(16, -1)


class CharModel(nn.Module):
    def __init__(self, v, h):
        super().__init__()
        self.emb = nn.Embedding(v, h)
        self.cell = nn.GRUCell(h, h)
        self.emb_out = nn.Linear(h, v, bias=False)
        self.emb_out.weight = self.emb.weight

    def forward(self, x, h):
        logits = []
        for t in range(x.shape[1]):
            h = self.cell(self.emb(x[:, t]), h)
            logits.append(self.emb_out(h))
        return torch.stack(logits, 1), h


V, H, T = len(alphabet), 32, 25
model = CharModel(V, H)
opt = torch.optim.RMSprop(model.parameters(), lr=3e-3)

for epoch in range(8):
    h = torch.zeros(16, H)
    total, count = 0.0, 0
    for s in range(0, lanes.shape[1] - 1 - T, T):
        x, y = lanes[:, s:s + T], lanes[:, s + 1:s + T + 1]
        h = h.detach()
        logits, h = model(x, h)
        loss = nn.functional.cross_entropy(logits.flatten(0, 1), y.flatten())
        opt.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 0.25)
        opt.step()
        total, count = total + loss.item(), count + 1
    print(f"epoch {epoch} nats/char {total / count:.4f}")

# closing a bracket: does the model put the closing mass on the right kind?
with torch.no_grad():
    logits, _ = model(held[None, :-1], torch.zeros(1, H))
    nxt = held[1:]
    closing = (nxt == 1) | (nxt == 3)
    pair = logits[0][closing][:, [1, 3]]
    acc = (pair.argmax(1) == (nxt[closing] == 3).long()).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
