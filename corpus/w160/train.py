import os
import torch

torch.manual_seed(int(os.environ.get("SEED", "0")))
torch.set_default_dtype(torch.float64)

# damped oscillator  u'' + 0.6 u' + 9 u = 0,  u(0) = 1,  u'(0) = 0
C, K = 0.6, 9.0
t = torch.linspace(0, 3, 80).reshape(-1, 1).requires_grad_()

net = torch.nn.Sequential(
    torch.nn.Linear(1, 20), torch.nn.Tanh(),
    torch.nn.Linear(20, 20), torch.nn.Tanh(),
    torch.nn.Linear(20, 1),
)


def u(t):
    return 1 + t ** 2 * net(t)


def residual():
    value = u(t)
    du, = torch.autograd.grad(value.sum(), t, create_graph=True)
    ddu, = torch.autograd.grad(du.sum(), t, create_graph=True)
    return ddu + C * du + K * value


optimizer = torch.optim.LBFGS(net.parameters(), max_iter=20, history_size=50, line_search_fn="strong_wolfe")


def closure():
    optimizer.zero_grad()
    loss = residual().pow(2).mean()
    loss.backward()
    return loss


for outer in range(60):
    loss = optimizer.step(closure)
    if outer % 10 == 0:
        print(outer, f"{loss.item():.3e}")

with torch.no_grad():
    w = (K - C ** 2 / 4) ** 0.5
    decay = torch.exp(-C / 2 * t)
    exact = decay * (torch.cos(w * t) + C / (2 * w) * torch.sin(w * t))
    r2 = 1 - (u(t) - exact).pow(2).mean() / exact.var(unbiased=False)
print(f"metric=r2 value={r2.item():.6f}")
