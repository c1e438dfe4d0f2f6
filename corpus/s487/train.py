import os
import torch

torch.manual_seed(int(os.environ.get("SEED", "0")))

n_users, n_items, rank = 150, 120, 4
taste, trait = torch.randn(n_users, rank), torch.randn(n_items, rank)
user = torch.randint(0, n_users, (8000,))
item = torch.randint(0, n_items, (8000,))
rating = (taste[user] * trait[item]).sum(1) / rank ** 0.5 + 0.1 * torch.randn(8000)
train = slice(0, 7000)
test = slice(7000, 8000)


def data_iter(batch_size, user, item, rating):
    for idx in torch.randperm(len(rating)).split(batch_size):
        yield user[idx], item[idx], rating[idx]


def squared_loss(r_hat, r):
    return (r_hat - r) ** 2 / 2


def sgd(params, lr, batch_size):
    with torch.no_grad():
        for param in params:
            param -= lr * param.grad / batch_size


def mf(P, Q, bu, bi, u, i):
    return (P[u] * Q[i]).sum(1) + bu[u] + bi[i]


P = torch.normal(0, 0.3, (n_users, rank), requires_grad=True)
Q = torch.normal(0, 0.3, (n_items, rank), requires_grad=True)
bu = torch.zeros(n_users, requires_grad=True)
bi = torch.zeros(n_items, requires_grad=True)
params = [P, Q, bu, bi]

lr, num_epochs, batch_size = 0.5, 80, 70
for epoch in range(num_epochs):
    for u, i, r in data_iter(batch_size, user[train], item[train], rating[train]):
        l = squared_loss(mf(*params, u, i), r)
        l.sum().backward()
        sgd(params, lr, batch_size)
    if epoch % 10 == 0:
        with torch.no_grad():
            l = squared_loss(mf(*params, user[train], item[train]), rating[train])
        print(f"epoch {epoch + 1}, loss {float(l.mean()):f}")

with torch.no_grad():
    r_hat = mf(*params, user[test], item[test])
    r2 = 1 - ((r_hat - rating[test]) ** 2).mean() / rating[test].var(unbiased=False)
print(f"metric=r2 value={r2.item():.4f}")
