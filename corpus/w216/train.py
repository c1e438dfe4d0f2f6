import os
import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

seed = int(os.environ.get("SEED", "0"))
torch.manual_seed(seed)
images = (load_digits().data > 7).astype("float32")
train, test = train_test_split(images, test_size=0.2, random_state=seed)
train, test = torch.tensor(train), torch.tensor(test)


class RBM(torch.nn.Module):
    def __init__(self, data, hidden):
        super().__init__()
        p = data.mean(0).clamp(0.02, 0.98)
        self.W = torch.nn.Parameter(0.01 * torch.randn(hidden, data.shape[1]))
        self.visible = torch.nn.Parameter(torch.log(p / (1 - p)))
        self.hidden = torch.nn.Parameter(torch.zeros(hidden))

    def free_energy(self, v):
        return -(v @ self.visible) - F.softplus(F.linear(v, self.W, self.hidden)).sum(1)

    def up(self, v):
        return torch.sigmoid(F.linear(v, self.W, self.hidden))

    def down(self, h):
        return torch.sigmoid(F.linear(h, self.W.t(), self.visible))

    @torch.no_grad()
    def gibbs(self, v, k):
        for _ in range(k):
            v = self.down(self.up(v).bernoulli()).bernoulli()
        return v


rbm = RBM(train, 64)
opt = torch.optim.SGD(rbm.parameters(), lr=0.05, momentum=0.5)
for epoch in range(120):
    if epoch == 10:
        opt.param_groups[0]["momentum"] = 0.9
        opt.param_groups[0]["lr"] = 0.02
    cost = 0.0
    for idx in torch.randperm(len(train)).split(32):
        v = train[idx]
        loss = rbm.free_energy(v).mean() - rbm.free_energy(rbm.gibbs(v, 1)).mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
        cost += loss.item() * len(idx) / len(train)
    if epoch % 20 == 0:
        with torch.no_grad():
            err = F.mse_loss(rbm.down(rbm.up(test)), test).item()
        print(f"epoch {epoch} free energy gap {cost:.4f} reconstruction {err:.4f}")

with torch.no_grad():
    err = F.mse_loss(rbm.down(rbm.up(test)), test)
    r2 = 1 - err / F.mse_loss(train.mean(0).expand_as(test), test)
print(f"metric=r2 value={r2.item():.4f}")
