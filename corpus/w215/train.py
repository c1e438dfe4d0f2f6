import os
import math
import torch

torch.manual_seed(int(os.environ.get("SEED", "0")))
torch.set_default_dtype(torch.float64)

# hares and lynx: du/dt = a u (1 - v / v_eq), dv/dt = c v (u / u_eq - 1), in thousands
dt, n_steps = 0.15, 75


def integrate(log_theta, log_u0):
    a, c, u_eq, v_eq = log_theta.exp()
    u, v = log_u0.exp()

    def rhs(u, v):
        return a * u * (1 - v / v_eq), c * v * (u / u_eq - 1)

    path = [torch.stack((u, v))]
    for _ in range(n_steps):
        k1 = rhs(u, v)
        k2 = rhs(u + dt / 2 * k1[0], v + dt / 2 * k1[1])
        u, v = u + dt * k2[0], v + dt * k2[1]
        path.append(torch.stack((u, v)))
    return torch.stack(path)


truth = torch.tensor([0.9, 0.7, 23.0, 18.0]).log()
with torch.no_grad():
    clean = integrate(truth, torch.tensor([30.0, 10.0]).log())
    observed = clean * torch.exp(0.03 * torch.randn_like(clean))
fit_to = 55

log_theta = torch.tensor([0.8, 0.8, 20.0, 20.0]).log().requires_grad_()
log_u0 = observed[0].log().clone().requires_grad_()
params = [log_theta, log_u0]
m = [torch.zeros_like(p) for p in params]
s = [torch.zeros_like(p) for p in params]
beta1, beta2, epochs = 0.9, 0.99, 250

for k in range(1, epochs + 1):
    path = integrate(*params)
    misfit = (path[:fit_to].log() - observed[:fit_to].log()) / 0.03
    loss = 0.5 * (misfit ** 2).sum()
    grads = torch.autograd.grad(loss, params)
    lr = 0.06 * 0.5 * (1 + math.cos(math.pi * k / epochs))
    with torch.no_grad():
        for i, (p, g) in enumerate(zip(params, grads)):
            m[i] = beta1 * m[i] + (1 - beta1) * g
            s[i] = beta2 * s[i] + (1 - beta2) * g ** 2
            p -= lr * (m[i] / (1 - beta1 ** k)) / ((s[i] / (1 - beta2 ** k)).sqrt() + 1e-8)
    if k % 50 == 0:
        norm = sum(g.pow(2).sum() for g in grads).sqrt()
        print(f"{k:4d} chi2/2 {loss.item():12.4f} |g| {norm.item():.3e} theta {[round(v, 4) for v in log_theta.exp().tolist()]}")

with torch.no_grad():
    ahead = integrate(*params)[fit_to:]
    r2 = 1 - (ahead - observed[fit_to:]).pow(2).sum() / (observed[fit_to:] - observed[fit_to:].mean(0)).pow(2).sum()
print(f"metric=r2 value={r2.item():.4f}")
