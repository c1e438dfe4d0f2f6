import os

import numpy as np
import torch
import torch.nn as nn
from torch.distributions import Categorical

seed = int(os.environ.get("SEED", "0"))
torch.manual_seed(seed)
np.random.seed(seed)
N_ENVS, ROLLOUT, ITERS, MAX_LEN = 16, 64, 40, 200
GAMMA, LAM, CLIP, ENT = 0.97, 0.95, 0.2, 0.005


class VecCartPole:
    def __init__(self, n, rng):
        self.n, self.rng = n, rng
        self.s = rng.uniform(-0.05, 0.05, (n, 4))
        self.t = np.zeros(n, dtype=int)

    def step(self, a):
        x, v, th, w = self.s.T
        force = np.where(a == 1, 10.0, -10.0)
        tmp = (force + 0.05 * w ** 2 * np.sin(th)) / 1.1
        acc_th = (9.8 * np.sin(th) - np.cos(th) * tmp) / (0.5 * (4 / 3 - 0.1 * np.cos(th) ** 2 / 1.1))
        acc_x = tmp - 0.05 * acc_th * np.cos(th) / 1.1
        self.s = np.stack([x + 0.02 * v, v + 0.02 * acc_x, th + 0.02 * w, w + 0.02 * acc_th], 1)
        self.t += 1
        fell = (np.abs(self.s[:, 0]) > 2.4) | (np.abs(self.s[:, 2]) > 0.2095)
        final = self.s.copy()
        over = fell | (self.t >= MAX_LEN)
        lengths = self.t[over].tolist()
        self.s[over] = self.rng.uniform(-0.05, 0.05, (over.sum(), 4))
        self.t[over] = 0
        return final, fell, over, lengths


def obs(s):
    return torch.tensor(s / np.array([1.0, 1.0, 0.1, 1.0]), dtype=torch.float32)


def mlp(out):
    return nn.Sequential(nn.Linear(4, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, out))


actor, critic = mlp(2), mlp(1)
nn.init.normal_(actor[-1].weight, std=0.01)
opt_actor = torch.optim.Adam(actor.parameters(), lr=2e-3, eps=1e-5)
opt_critic = torch.optim.Adam(critic.parameters(), lr=3e-3, eps=1e-5)
anneal = [torch.optim.lr_scheduler.LinearLR(o, 1.0, 0.1, total_iters=ITERS) for o in (opt_actor, opt_critic)]
env = VecCartPole(N_ENVS, np.random.default_rng(seed))

for it in range(ITERS):
    S, A, LP, V, ADV, boot, cut, lengths = [], [], [], [], [], [], [], []
    with torch.no_grad():
        for _ in range(ROLLOUT):
            s = obs(env.s)
            pi = Categorical(logits=actor(s))
            a = pi.sample()
            final, fell, over, done_len = env.step(a.numpy())
            S.append(s), A.append(a), LP.append(pi.log_prob(a)), V.append(critic(s).squeeze(-1))
            boot.append(critic(obs(final)).squeeze(-1) * torch.tensor(~fell).float())
            cut.append(torch.tensor(~over).float())
            lengths += done_len
        adv = torch.zeros(N_ENVS)
        for t in reversed(range(ROLLOUT)):
            delta = 0.1 + GAMMA * boot[t] - V[t]
            adv = delta + GAMMA * LAM * cut[t] * adv
            ADV.insert(0, adv)
    S, A, LP, V, ADV = torch.cat(S), torch.cat(A), torch.cat(LP), torch.cat(V), torch.cat(ADV)
    returns = ADV + V
    ADV = (ADV - ADV.mean()) / (ADV.std() + 1e-8)
    for _ in range(5):
        for idx in torch.randperm(len(S)).split(256):
            pi = Categorical(logits=actor(S[idx]))
            ratio = (pi.log_prob(A[idx]) - LP[idx]).exp()
            surrogate = torch.min(ratio * ADV[idx], ratio.clamp(1 - CLIP, 1 + CLIP) * ADV[idx])
            loss_pi = -surrogate.mean() - ENT * pi.entropy().mean()
            loss_v = nn.functional.mse_loss(critic(S[idx]).squeeze(-1), returns[idx])
            for net, opt, loss in ((actor, opt_actor, loss_pi), (critic, opt_critic, loss_v)):
                opt.zero_grad()
                loss.backward()
                nn.utils.clip_grad_norm_(net.parameters(), 0.5)
                opt.step()
    for sch in anneal:
        sch.step()
    if it % 5 == 0:
        print(f"iter {it} mean length {np.mean(lengths) if lengths else MAX_LEN:.1f} pi {loss_pi.item():+.4f} v {loss_v.item():.4f}")

test = VecCartPole(100, np.random.default_rng(1000 + seed))
first, alive = np.zeros(100), np.ones(100, dtype=bool)
for t in range(MAX_LEN):
    with torch.no_grad():
        _, fell, over, _ = test.step(actor(obs(test.s)).argmax(-1).numpy())
    first += alive
    alive &= ~fell
print(f"metric=mean_length_share value={first.mean() / MAX_LEN:.4f}")
