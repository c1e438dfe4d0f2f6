# Logistic regression from first principles
import os
import numpy as np
import torch
from sklearn.datasets import load_breast_cancer

seed = int(os.environ.get("SEED", 0))
torch.manual_seed(seed)
rng = np.random.default_rng(seed)

raw = load_breast_cancer()
order = rng.permutation(len(raw.target))
feats = raw.data[order]
labels = raw.target[order]
n_train = 400
mu, sd = feats[:n_train].mean(0), feats[:n_train].std(0)
feats = (feats - mu) / sd

X = torch.tensor(feats, dtype=torch.float32)
t = torch.tensor(labels, dtype=torch.float32).unsqueeze(1)
X_tr, t_tr, X_te, t_te = X[:n_train], t[:n_train], X[n_train:], t[n_train:]

theta = torch.zeros(X.shape[1], 1, requires_grad=True)
bias = torch.zeros(1, requires_grad=True)


def predict(X):
    return 1 / (1 + torch.exp(-(X @ theta + bias)))


def log_loss(p, t):
    p = p.clamp(1e-6, 1 - 1e-6)
    return -(t * torch.log(p) + (1 - t) * torch.log(1 - p)).mean()


alpha = 0.3
for epoch in range(400):
    p = predict(X_tr)
    J = log_loss(p, t_tr)
    g_theta, g_bias = torch.autograd.grad(J, [theta, bias])
    theta.data -= alpha * g_theta
    bias.data -= alpha * g_bias
    if epoch % 50 == 0:
        print("epoch", epoch, "J", round(J.item(), 4))

with torch.no_grad():
    hits = (predict(X_te) > 0.5).float() == t_te
print(f"metric=accuracy value={hits.float().mean().item():.4f}")
