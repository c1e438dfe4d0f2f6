import os
import numpy as np
import torch

seed = int(os.environ.get("SEED", "0"))
torch.manual_seed(seed)
rng = np.random.default_rng(seed)
torch.set_default_dtype(torch.float64)

t = torch.linspace(0, 6, 400)
clean = 2.0 * torch.exp(-0.4 * t) + 1.2 * torch.exp(-3.0 * t) + 0.3
signal = clean + 0.01 * torch.tensor(rng.standard_t(3, size=400))
signal[torch.tensor(rng.choice(400, 8, replace=False))] += 0.8

amplitude = torch.nn.Parameter(torch.tensor([1.0, 1.0]))
log_rate = torch.nn.Parameter(torch.log(torch.tensor([0.2, 2.0])))
offset = torch.nn.Parameter(torch.zeros(()))
log_scale = torch.nn.Parameter(torch.tensor(-1.0))
log_nu = torch.nn.Parameter(torch.tensor(1.0))
params = [amplitude, log_rate, offset, log_scale, log_nu]


def curve(t):
    return (amplitude * torch.exp(-log_rate.exp() * t[:, None])).sum(1) + offset


def negative_log_likelihood():
    noise = torch.distributions.StudentT(1 + log_nu.exp(), loc=curve(t), scale=log_scale.exp())
    return -noise.log_prob(signal).mean()


optimizer = torch.optim.LBFGS(params, lr=1.0, max_iter=20, history_size=10, line_search_fn="strong_wolfe")


def closure():
    optimizer.zero_grad()
    loss = negative_log_likelihood()
    loss.backward()
    return loss


for outer in range(40):
    loss = optimizer.step(closure)
    if outer % 4 == 0:
        print(f"{outer:3d} nll {loss.item():+.6f} rates {[round(r, 4) for r in log_rate.exp().tolist()]}")

with torch.no_grad():
    print("scale", log_scale.exp().item(), "nu", 1 + log_nu.exp().item())
    r2 = 1 - (curve(t) - clean).pow(2).mean() / clean.var(unbiased=False)
print(f"metric=r2 value={r2.item():.4f}")
