import os
import torch

torch.manual_seed(int(os.environ.get("SEED", 0)))
lengths = torch.tensor([1.0, 0.8])
dose = torch.linspace(0.5, 12, 120)
truth = lambda d: 1.5 * torch.cos(3.1 * d) * torch.exp(-0.05 * d)
obs = truth(dose) + 0.03 * torch.randn(120)
theta = torch.tensor([1.0, 0.9 + 0.1 * torch.rand(1).item(), 0.05], requires_grad=True)
opt = torch.optim.LBFGS([theta], lr=0.5, max_iter=10, line_search_fn="strong_wolfe")


def model(d, theta):
    return theta[0] * torch.cos(theta[1] * d) * torch.exp(-theta[2] * d)


def closure():
    opt.zero_grad()
    loss = (model(dose, theta) - obs).pow(2).mean() + 1e-3 * theta[2] ** 2
    loss.backward()
    return loss


for it in range(40):
    loss = opt.step(closure)
    if it % 10 == 0:
        print(it, loss.item(), theta.tolist())
with torch.no_grad():
    r2 = 1 - (model(dose, theta) - obs).pow(2).mean() / obs.var()
print(f"metric=r2 value={r2.item():.4f}")
