import os
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

torch.manual_seed(int(os.environ.get("SEED", 0)))
X, y = load_digits(return_X_y=True)
Xa, Xb, ya, yb = train_test_split(torch.tensor(X).float(), torch.tensor(y), test_size=0.25, random_state=0)
Xa, Xb = Xa - Xa.mean(0), Xb - Xa.mean(0)
onehot = torch.eye(10)

W = (torch.randn(64, 10)).requires_grad_()
b = torch.zeros(10, requires_grad=True)


def softmax(z):
    e = torch.exp(z - z.max(1, keepdim=True).values)
    return e / e.sum(1, keepdim=True)


def cross_entropy(z, t):
    log_p = torch.log(softmax(z))
    return -(t * log_p).sum(1).mean()


opt = torch.optim.SGD([W, b], lr=0.01)
for epoch in range(25):
    for i in torch.randperm(len(Xa)).split(32):
        loss = cross_entropy(Xa[i] @ W + b, onehot[ya[i]])
        opt.zero_grad()
        loss.backward()
        opt.step()
    if epoch % 5 == 0:
        print(epoch, loss.item())
acc = (softmax(Xb @ W + b).argmax(1) == yb).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
