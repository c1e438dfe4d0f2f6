import os
import torch

torch.manual_seed(int(os.environ.get("SEED", 0)))
t = torch.linspace(0, 6, 400)
tone = torch.sin(1.1 * t) + 0.8 * torch.sin(2.9 * t + 1) + 0.7 * torch.sin(5.2 * t + 2) + 0.05 * torch.randn(400)

frequency = torch.full((5,), 3.0, requires_grad=True)
phase = torch.zeros(5, requires_grad=True)
amplitude = torch.full((5,), 0.2, requires_grad=True)
optimizer = torch.optim.Adam([frequency, phase, amplitude], lr=0.02)


def synth(t):
    return (amplitude * torch.sin(t[:, None] * frequency + phase)).sum(dim=1)


for step in range(800):
    loss = ((synth(t) - tone) ** 2).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 100 == 0:
        print(step, round(loss.item(), 5), frequency.tolist())

with torch.no_grad():
    r2 = 1 - ((synth(t) - tone) ** 2).mean() / tone.var(unbiased=False)
print(f"metric=r2 value={r2.item():.4f}")
