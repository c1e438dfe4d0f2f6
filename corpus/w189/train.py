import os

import torch

seed = int(os.environ.get("SEED", "0"))
torch.manual_seed(seed)
torch.set_default_dtype(torch.float64)

# two-compartment pharmacokinetics: C(t) = A exp(-a t) + B exp(-b t)
t = torch.cat([torch.linspace(0.05, 2, 40), torch.linspace(2.5, 24, 44)])
clean = 8.0 * torch.exp(-1.9 * t) + 3.5 * torch.exp(-0.12 * t)
conc = clean * (1 + 0.04 * torch.randn(len(t)))
held_out = torch.zeros(len(t), dtype=torch.bool)
held_out[3::4] = True
t_fit, c_fit = t[~held_out], conc[~held_out]
t_new, c_new = t[held_out], conc[held_out]


class Biexponential(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.log_amplitude = torch.nn.Parameter(torch.tensor([5.0, 5.0]).log())
        self.log_rate = torch.nn.Parameter(torch.tensor([1.0, 0.1]).log())

    def forward(self, t):
        return (self.log_amplitude.exp() * torch.exp(-t[:, None] * self.log_rate.exp())).sum(1)


model = Biexponential()
optimizer = torch.optim.LBFGS(model.parameters(), lr=1, max_iter=20, line_search_fn="strong_wolfe")


def closure():
    optimizer.zero_grad()
    loss = ((model(t_fit).log() - c_fit.log()) ** 2).mean()
    loss.backward()
    return loss


for outer in range(25):
    loss = optimizer.step(closure)
    print(f"outer {outer:2d}  loss {loss.item():.3e}  rates {model.log_rate.exp().tolist()}")

with torch.no_grad():
    pred = model(t_new)
    r2 = 1 - ((pred - c_new) ** 2).mean() / c_new.var(unbiased=False)
print(f"metric=r2 value={r2.item():.4f}")
