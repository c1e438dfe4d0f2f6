import os
import torch

torch.manual_seed(int(os.environ.get("SEED", 0)))
t = torch.linspace(0, 20, 200)
signal = 2.0 * torch.exp(-(t - 14.0) ** 2 / (2 * 0.8 ** 2)) + 0.02 * torch.randn(200)

centre = t[signal.argmax()].view(1).clone().requires_grad_()
log_width = torch.zeros(1, requires_grad=True)
height = torch.ones(1, requires_grad=True)
opt = torch.optim.SGD([centre, log_width, height], lr=0.2)


def peak(t):
    return height * torch.exp(-(t - centre) ** 2 / (2 * torch.exp(log_width) ** 2))


for step in range(3000):
    opt.zero_grad()
    loss = (peak(t) - signal).pow(2).mean()
    loss.backward()
    opt.step()
    if step % 300 == 0:
        print(step, loss.item(), centre.item())
with torch.no_grad():
    r2 = 1 - (peak(t) - signal).pow(2).mean() / signal.var(unbiased=False)
print(f"metric=r2 value={r2.item():.4f}")
