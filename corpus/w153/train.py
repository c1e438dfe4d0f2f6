# Linear autoencoder with shared weights on digits, gradient descent by hand, compared with PCA
import os
import torch
from sklearn.datasets import load_digits

torch.manual_seed(int(os.environ.get("SEED", 0)))

X = torch.tensor(load_digits().data, dtype=torch.float32) / 16
X = X[torch.randperm(len(X))]
mean = X[:1300].mean(0)
train, test = X[:1300] - mean, X[1300:] - mean

k = 6
W = 0.001 * torch.randn(64, k)
W.requires_grad_(True)
lr = 0.01

for step in range(2500):
    code = train @ W
    recon = code @ W.t()
    loss = ((recon - train) ** 2).sum(1).mean()
    loss.backward()
    with torch.no_grad():
        W -= lr * W.grad
        W.grad.zero_()
    if step % 100 == 0:
        print(f"{step:5d} reconstruction error {loss.item():.4f}")

with torch.no_grad():
    total = (test ** 2).sum()
    ours = 1 - ((test @ W @ W.t() - test) ** 2).sum() / total
    U = torch.linalg.svd(train, full_matrices=False)[2][:k].t()
    pca = 1 - ((test @ U @ U.t() - test) ** 2).sum() / total
print(f"explained: ours {ours.item():.4f}, pca {pca.item():.4f}")
print(f"metric=score value={(ours / pca).item():.4f}")
