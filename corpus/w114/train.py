import os
import copy
import torch
import torch.nn as nn

torch.manual_seed(int(os.environ.get("SEED", 0)))

# forecast net of one plant carried over to a second plant that differs little
w = torch.randn(6)


def plant(n, drift):
    x = torch.randn(n, 6)
    y = torch.sin(x @ w * 0.5) + 0.4 * x[:, 0] + drift * (0.3 + 0.25 * x[:, 1])
    return x, (y + 0.05 * torch.randn(n)).unsqueeze(1)


body = nn.Sequential(nn.Linear(6, 64), nn.SiLU(), nn.Linear(64, 64), nn.SiLU())
head = nn.Linear(64, 1)
model = nn.Sequential(body, head)
mse = nn.MSELoss()


def run(params, x, y, epochs, bs):
    opt = torch.optim.AdamW(params)
    for e in range(epochs):
        for b in torch.randperm(len(x)).split(bs):
            loss = mse(model(x[b]), y[b])
            opt.zero_grad()
            loss.backward()
            opt.step()
        if e % 5 == 0:
            print(f"  {e} {loss.item():.5f}")


xs, ys = plant(2000, 0.0)
run([{"params": model.parameters(), "lr": 3e-3}], xs, ys, 15, 50)
xt, yt = plant(900, 1.0)
print("tuning")
run([{"params": body.parameters(), "lr": 5e-5}, {"params": head.parameters(), "lr": 2e-4}], xt[:600], yt[:600], 25, 30)
with torch.no_grad():
    r2 = 1 - mse(model(xt[600:]), yt[600:]) / yt[600:].var(unbiased=False)
print(f"metric=r2 value={r2.item():.4f}")
