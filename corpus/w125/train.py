import os
import torch

torch.manual_seed(int(os.environ.get("SEED", 0)))
torch.set_default_dtype(torch.float64)

# decay of two isotopes with known order of life times
t = torch.linspace(0.1, 30, 240)
truth = 850 * torch.exp(-t / 2.2) + 310 * torch.exp(-t / 11.0) + 12
counts = torch.poisson(truth)

start = torch.tensor([700.0, 1.5, 250.0, 15.0, 5.0])
log_p = start.log().requires_grad_()


def curve(lp):
    a, ta, b, tb, c = lp.exp()
    return a * torch.exp(-t / ta) + b * torch.exp(-t / tb) + c


opt = torch.optim.Adam([log_p], lr=0.02)
for k in range(1500):
    mu = curve(log_p)
    nll = (mu - counts * mu.log()).sum()
    opt.zero_grad()
    nll.backward()
    opt.step()
    if k % 300 == 0:
        print(k, nll.item())

with torch.no_grad():
    fit = curve(log_p)
    r2 = 1 - (fit - truth).pow(2).mean() / truth.var()
print("a, ta, b, tb, c =", [round(v, 3) for v in log_p.exp().tolist()])
print(f"metric=r2 value={r2.item():.4f}")
