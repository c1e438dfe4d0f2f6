import os
import torch

torch.manual_seed(int(os.environ.get("SEED", "0")))


def energy(r, theta):
    """Morse bond with a bending term, in eV."""
    depth, a, r0, theta0 = 4.6, 1.9, 1.1, 1.8
    bond = depth * ((1 - torch.exp(-a * (r - r0))) ** 2 - 1)
    return bond + 0.8 * (theta - theta0) ** 2


r = torch.empty(1200).uniform_(0.85, 3.0)
theta = torch.empty(1200).uniform_(1.2, 2.4)
E = energy(r, theta)
X = torch.stack([(r - 1.9) / 0.6, (theta - 1.8) / 0.35], dim=1)

layers = [2, 40, 40, 1]
Ws = [(torch.randn(i, o) / i ** 0.5).requires_grad_() for i, o in zip(layers, layers[1:])]
bs = [torch.zeros(o, requires_grad=True) for o in layers[1:]]


def surface(x):
    for W, b in zip(Ws[:-1], bs[:-1]):
        x = torch.tanh(x @ W + b)
    return (x @ Ws[-1] + bs[-1]).squeeze(1)


optim = torch.optim.Adam(Ws + bs, lr=3e-3)
for epoch in range(60):
    for idx in torch.randperm(1000).split(40):
        loss = (surface(X[idx]) - E[idx]).square().mean()
        optim.zero_grad()
        loss.backward()
        optim.step()
    if epoch % 10 == 0:
        print(f"epoch {epoch}: {loss.item():.5f}")

with torch.no_grad():
    r2 = 1 - (surface(X[1000:]) - E[1000:]).square().mean() / E[1000:].var(unbiased=False)
print(f"metric=r2 value={r2.item():.4f}")
