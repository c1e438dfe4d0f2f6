import os
import numpy as np
import torch

seed = int(os.environ.get("SEED", "0"))
torch.manual_seed(seed)
rng = np.random.default_rng(seed)

# the occasionally dishonest casino: a fair and a loaded die, faces 0..5
STATES, FACES, T = 2, 6, 100
true_A = np.array([[0.97, 0.03], [0.04, 0.96]])
true_B = np.array([[1 / 6] * 6, [0.05, 0.05, 0.05, 0.05, 0.05, 0.75]])


def roll(n):
    z, x = np.zeros((n, T), int), np.zeros((n, T), int)
    for k in range(n):
        s = 0
        for t in range(T):
            s = rng.choice(2, p=true_A[s])
            z[k, t], x[k, t] = s, rng.choice(6, p=true_B[s])
    return torch.tensor(z), torch.tensor(x)


z_train, x_train = roll(60)
z_test, x_test = roll(40)

start = torch.zeros(STATES, requires_grad=True)
trans = (2.0 * torch.eye(STATES)).requires_grad_()
emit = (0.3 * torch.randn(STATES, FACES)).requires_grad_()


def log_likelihood(x):
    pi, A, B = start.softmax(0), trans.softmax(1), emit.softmax(1)
    alpha, total = pi * B[:, x[:, 0]].T, 0.0
    for t in range(1, x.shape[1]):
        scale = alpha.sum(1, keepdim=True)
        total = total + torch.log(scale).squeeze(1)
        alpha = (alpha / scale @ A) * B[:, x[:, t]].T
    return total + torch.log(alpha.sum(1))


opt = torch.optim.Adam([start, trans, emit], lr=0.03)
for epoch in range(300):
    loss = -log_likelihood(x_train).mean() / T
    opt.zero_grad()
    loss.backward()
    opt.step()
    if epoch % 50 == 0:
        print(f"epoch {epoch} nll per roll {loss.item():.4f}")

# filtered state of the held-out rolls
with torch.no_grad():
    A, B = trans.softmax(1), emit.softmax(1)
    p = start.softmax(0).expand(len(x_test), STATES)
    guess = []
    for t in range(T):
        p = (p if t == 0 else p @ A) * B[:, x_test[:, t]].T
        p = p / p.sum(1, keepdim=True)
        guess.append(p.argmax(1))
    agree = (torch.stack(guess, 1) == z_test).float().mean().item()
print(f"metric=accuracy value={max(agree, 1 - agree):.4f}")
