import os
import torch
import torch.nn as nn

torch.manual_seed(int(os.environ.get("SEED", 0)))

# denoising without clean targets: input and target are two noisy takes of one signal
t = torch.linspace(0, 1, 32)


def takes(n):
    f = torch.rand(n, 1) * 3 + 1
    ph = torch.rand(n, 1) * 6.283
    clean = torch.sin(6.283 * f * t + ph)
    return clean, clean + 0.8 * torch.randn(n, 32), clean + 0.8 * torch.randn(n, 32)


net = nn.Sequential(
    nn.Conv1d(1, 24, 7, padding=3), nn.LeakyReLU(0.1),
    nn.Conv1d(24, 24, 7, padding=3), nn.LeakyReLU(0.1),
    nn.Conv1d(24, 24, 7, padding=3), nn.LeakyReLU(0.1),
    nn.Conv1d(24, 1, 7, padding=3),
)
opt = torch.optim.Adam(net.parameters(), lr=2e-3)
for it in range(700):
    _, a, b = takes(32)
    loss = nn.functional.mse_loss(net(a.unsqueeze(1)).squeeze(1), b)
    opt.zero_grad()
    loss.backward()
    opt.step()
    if it % 100 == 0:
        print(it, round(loss.item(), 4))

clean, a, _ = takes(500)
with torch.no_grad():
    r2 = 1 - ((net(a.unsqueeze(1)).squeeze(1) - clean) ** 2).mean() / clean.var(unbiased=False)
print(f"metric=r2 value={r2.item():.4f}")
