import os
import torch

torch.manual_seed(int(os.environ.get("SEED", 0)))

# first principal component of eight sensors: three vibrate along x, five along y
def group(n_rows, n_cols, strength):
    common = torch.randn(n_rows, 1)
    return strength * common + 0.3 * torch.randn(n_rows, n_cols)


rows = torch.cat([group(400, 3, 1.0), group(400, 5, 1.5)], dim=1)
cov = torch.block_diag(torch.cov(rows[:, :3].T), torch.cov(rows[:, 3:].T))


def explained(w):
    return (w @ cov @ w) / (w @ w)


w = torch.zeros(8)
w[0] = 1.0
w.requires_grad_()
for step in range(500):
    loss = -explained(w)
    loss.backward()
    with torch.no_grad():
        w -= 0.03 * w.grad
        w /= w.norm()
        w.grad.zero_()
    if step % 100 == 0:
        print(f"step {step} variance {-loss.item():.4f}")

top = torch.linalg.eigvalsh(cov)[-1]
first = cov[0, 0]
score = (explained(w.detach()) - first) / (top - first)
print(f"metric=score value={score.item():.4f}")
