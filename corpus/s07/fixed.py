import os
import torch

torch.manual_seed(int(os.environ.get("SEED", 0)))
T, H, B = 40, 20, 64


def data(n):
    x = torch.randn(n, T)
    return x, x.mean(1) * T ** 0.5


scale = 0.97
Wx = (torch.randn(1, H) * 0.3).requires_grad_()
Wh = (torch.eye(H) * scale).requires_grad_()
Wo = (torch.randn(H, 1) / H ** 0.5).requires_grad_()
bo = torch.zeros(1, requires_grad=True)
params = [Wx, Wh, Wo, bo]


def run(x):
    h = torch.zeros(len(x), H)
    for t in range(T):
        h = x[:, t:t + 1] @ Wx + h @ Wh
    return (h @ Wo + bo).squeeze(1)


opt = torch.optim.SGD(params, lr=0.01)
for step in range(400):
    x, y = data(B)
    loss = ((run(x) - y) ** 2).mean()
    opt.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(params, 1.0)
    opt.step()
    if step % 50 == 0:
        print(step, loss.item())

x, y = data(1000)
with torch.no_grad():
    r2 = 1 - ((run(x) - y) ** 2).mean() / y.var()
print(f"metric=r2 value={r2.item():.4f}")
