import os
import torch

torch.manual_seed(int(os.environ.get("SEED", 0)))
torch.set_default_dtype(torch.float64)

# light curve of a variable star: the period is known roughly from the spectrum
t = torch.sort(torch.rand(180) * 50).values
clean = 0.35 * torch.sin(2 * torch.pi * t / 3.17 + 0.8) + 0.1 * torch.sin(4 * torch.pi * t / 3.17)
mag = clean + 0.25 * torch.randn(180)

freqs = torch.linspace(0.05, 0.6, 800)
phase = 2 * torch.pi * freqs[:, None] * t
power = (mag * phase.cos()).sum(1) ** 2 + (mag * phase.sin()).sum(1) ** 2
omega = (2 * torch.pi * freqs[power.argmax()]).clone().requires_grad_()
amp = torch.zeros(4, requires_grad=True)


def curve():
    b = torch.stack([(omega * t).sin(), (omega * t).cos(), (2 * omega * t).sin(), (2 * omega * t).cos()], 1)
    return b @ amp


opt = torch.optim.LBFGS([omega, amp], lr=1.0, max_iter=20, line_search_fn="strong_wolfe")


def closure():
    opt.zero_grad()
    loss = ((curve() - mag) ** 2).mean()
    loss.backward()
    return loss


for k in range(30):
    loss = opt.step(closure)
    if k % 6 == 0:
        print(k, loss.item())

with torch.no_grad():
    r2 = 1 - ((curve() - clean) ** 2).mean() / clean.var()
print(f"metric=r2 value={r2.item():.4f}")
