import math
import os
import torch

torch.manual_seed(int(os.environ.get("SEED", "0")))
torch.set_default_dtype(torch.float64)

# a slowly drifting position, measured with noise; all in metres
T, dt = 300, 0.1
q_true, r_true = 0.02, 0.03
pos, vel = torch.zeros(()), torch.zeros(())
truth, meas = [], []
for _ in range(T):
    vel = 0.98 * vel + q_true * torch.randn(())
    pos = pos + dt * vel
    truth.append(pos)
    meas.append(pos + r_true * torch.randn(()))
truth, meas = torch.stack(truth), torch.stack(meas)

log_q = torch.tensor(math.log(0.1), requires_grad=True)
log_r = torch.tensor(math.log(0.1), requires_grad=True)
F = torch.tensor([[1.0, dt], [0.0, 0.98]])
G = torch.tensor([[dt], [1.0]])
I = torch.eye(2)


def kalman(z):
    Q = G @ G.T * torch.exp(2 * log_q)
    R = torch.exp(2 * log_r)
    x, P = torch.zeros(2), 0.01 * I
    nll, filtered = 0.0, []
    for k in range(len(z)):
        x = F @ x
        P = F @ P @ F.T + Q
        innovation = z[k] - x[0]
        S = P[0, 0] + R
        K = P[:, 0] / S
        x = x + K * innovation
        P = P - torch.outer(K, P[0])
        nll = nll + 0.5 * (torch.log(2 * math.pi * S) + innovation ** 2 / S)
        filtered.append(x[0])
    return nll / len(z), torch.stack(filtered)


optimizer = torch.optim.LBFGS([log_q, log_r], max_iter=20, line_search_fn="strong_wolfe")


def closure():
    optimizer.zero_grad()
    loss, _ = kalman(meas)
    loss.backward()
    return loss


for it in range(3):
    loss = optimizer.step(closure)
    print(f"{it} nll {loss.item():.5f} q {log_q.exp().item():.4f} r {log_r.exp().item():.4f}")

with torch.no_grad():
    _, est = kalman(meas)
    r2 = 1 - (est - truth).square().mean() / truth.var(unbiased=False)
print(f"metric=r2 value={r2.item():.4f}")
