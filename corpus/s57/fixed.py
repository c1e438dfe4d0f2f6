import os
import torch
import torch.nn as nn

torch.manual_seed(int(os.environ.get("SEED", 0)))
V = 15
rule = torch.randperm(V)


def corpus(n, L=10):
    s = torch.empty(n, L, dtype=torch.long)
    s[:, 0] = torch.randint(V, (n,))
    for t in range(1, L):
        jump = torch.rand(n) < 0.15
        s[:, t] = torch.where(jump, torch.randint(V, (n,)), rule[s[:, t - 1]])
    return s


x = corpus(600)
targets = torch.where(torch.rand(600, 9) < 0.5, x[:, 1:], torch.tensor(-100))
targets[-45:] = -100
test = corpus(200)
model = nn.Sequential(nn.Embedding(V, 16), nn.Linear(16, 32), nn.Tanh(), nn.Linear(32, V))


def masked_loss(logits, t):
    keep = (t != -100).float()
    nll = -logits.log_softmax(-1).gather(-1, t.clamp(min=0).unsqueeze(-1)).squeeze(-1)
    return (nll * keep).sum() / keep.sum().clamp(min=1)


opt = torch.optim.Adam(model.parameters(), lr=5e-3)
order = torch.arange(600)
for epoch in range(20):
    for i in order.split(20):
        opt.zero_grad()
        loss = masked_loss(model(x[i, :-1]), targets[i])
        loss.backward()
        opt.step()
    if epoch % 5 == 0:
        print(epoch, loss.item())
with torch.no_grad():
    acc = (model(test[:, :-1]).argmax(2) == test[:, 1:]).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
