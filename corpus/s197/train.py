import os
import torch

torch.manual_seed(int(os.environ.get("SEED", 0)))
torch.set_default_dtype(torch.float64)

# height of the tide against time in hours
N = 90
t = torch.linspace(0, 72, N)
f = 1.3 * torch.sin(2 * torch.pi * t / 12.4 + 0.5) + 0.5 * torch.cos(2 * torch.pi * t / 24.8)
y = f + 0.15 * torch.randn(N)
ts = torch.linspace(1, 71, 200)
fs = 1.3 * torch.sin(2 * torch.pi * ts / 12.4 + 0.5) + 0.5 * torch.cos(2 * torch.pi * ts / 24.8)


class GP(torch.nn.Module):
    def __init__(self, lengthscale, variance, noise):
        super().__init__()
        self.log_l = torch.nn.Parameter(torch.tensor(lengthscale).log())
        self.log_v = torch.nn.Parameter(torch.tensor(variance).log())
        self.log_n = torch.nn.Parameter(torch.tensor(noise).log())

    def kernel(self, a, b):
        return self.log_v.exp() * torch.exp(-0.5 * ((a[:, None] - b[None]) / self.log_l.exp()) ** 2)

    def chol(self):
        K = self.kernel(t, t) + (self.log_n.exp() + 1e-8) * torch.eye(N)
        return torch.linalg.cholesky(K)

    def nll(self):
        L = self.chol()
        alpha = torch.cholesky_solve(y[:, None], L)
        return 0.5 * (y @ alpha).squeeze() / N + L.diagonal().log().mean()

    def predict(self, s):
        alpha = torch.cholesky_solve(y[:, None], self.chol())
        return (self.kernel(s, t) @ alpha).squeeze(1)


gp = GP(lengthscale=0.05, variance=1.0, noise=0.1)
opt = torch.optim.Adam(gp.parameters(), lr=0.03)
for it in range(300):
    opt.zero_grad()
    loss = gp.nll()
    loss.backward()
    opt.step()
    if it % 60 == 0:
        print(it, "nll", round(loss.item(), 4), "lengthscale", round(gp.log_l.exp().item(), 4))

with torch.no_grad():
    r2 = 1 - ((gp.predict(ts) - fs) ** 2).mean() / fs.var(unbiased=False)
print(f"metric=r2 value={r2.item():.4f}")
