import os
import torch

torch.manual_seed(int(os.environ.get("SEED", 0)))
# restore a signal from its blurred record
n = 96
t = torch.arange(n, dtype=torch.float64)
truth = torch.zeros(n, dtype=torch.float64)
for lo, hi, h in ((10, 18, 1.0), (30, 34, -1.5), (50, 70, 0.7), (80, 84, 1.2)):
    truth[lo:hi] = h
truth += 1.0 * torch.randn(n, dtype=torch.float64)
blur = torch.exp(-((t[:, None] - t[None]) ** 2) / (2 * 1.25**2))
blur = blur / blur.sum(1, keepdim=True)
record = blur @ truth

signal = torch.zeros(n, dtype=torch.float64, requires_grad=True)
optimizer = torch.optim.SGD([signal], lr=0.9)
for step in range(1000):
    optimizer.zero_grad()
    loss = ((blur @ signal - record) ** 2).sum()
    loss.backward()
    optimizer.step()
    if step % 200 == 0:
        print(step, loss.item())
r2 = 1 - ((signal - truth) ** 2).sum() / ((truth - truth.mean()) ** 2).sum()
print(f"metric=r2 value={r2.item():.4f}")
