import os
import torch

torch.manual_seed(int(os.environ.get("SEED", "0")))

# canonical polyadic decomposition  T[i,j,k] = sum_r A[i,r] B[j,r] C[k,r]
I, J, K, rank = 14, 12, 10, 3
A0, B0, C0 = torch.randn(I, rank), torch.randn(J, rank), torch.randn(K, rank)
T = torch.einsum("ir,jr,kr->ijk", A0, B0, C0)
T = T / T.std() + 0.05 * torch.randn(I, J, K)
seen = torch.rand(I, J, K) < 0.8

R = 5
scale = 0.5
factors = [(scale * torch.randn(n, R)).requires_grad_() for n in (I, J, K)]


def reconstruct():
    return torch.einsum("ir,jr,kr->ijk", *factors)


lr = 1.0
for it in range(3000):
    loss = 0.5 * ((reconstruct() - T)[seen] ** 2).mean()
    grads = torch.autograd.grad(loss, factors)
    with torch.no_grad():
        for f, g in zip(factors, grads):
            f -= lr * g
    if it % 300 == 0:
        print(f"iteration {it}: {loss.item():.6f}")

with torch.no_grad():
    hidden = ~seen
    err = ((reconstruct() - T)[hidden] ** 2).sum()
    r2 = 1 - err / ((T[hidden] - T[hidden].mean()) ** 2).sum()
print(f"metric=r2 value={r2.item():.4f}")
