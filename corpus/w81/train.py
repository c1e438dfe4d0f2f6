"""Lasso by proximal steps: most weights end at exactly zero."""

import os
import torch

torch.manual_seed(int(os.environ.get("SEED", 0)))
n, d = 400, 120
A = torch.randn(n, d)
true = torch.zeros(d)
true[torch.randperm(d)[:6]] = torch.tensor([3.0, -2.0, 1.5, -1.0, 2.5, 1.2])
b = A @ true + 0.5 * torch.randn(n)
A_new = torch.randn(200, d)
b_new = A_new @ true

w = torch.nn.Parameter(torch.zeros(d))
opt = torch.optim.SGD([w], lr=0.2)
penalty = 0.15
for step in range(250):
    opt.zero_grad()
    loss = 0.5 * torch.nn.functional.mse_loss(A @ w, b)
    loss.backward()
    opt.step()
    with torch.no_grad():
        w.copy_(torch.nn.functional.softshrink(w, penalty * 0.2))
    if step % 50 == 0:
        print(step, loss.item(), int((w != 0).sum()))
res = ((A_new @ w.detach() - b_new) ** 2).sum() / ((b_new - b_new.mean()) ** 2).sum()
print(f"metric=r2 value={1 - res.item():.4f}")
