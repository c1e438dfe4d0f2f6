import os
import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

seed = int(os.environ.get("SEED", "0"))
torch.manual_seed(seed)
rng = np.random.default_rng(seed)

# a catalogue with 500 customers and 300 films; half of the customers have not rated yet
CUSTOMERS, FILMS, ACTIVE = 500, 300, 250
taste = rng.normal(size=(ACTIVE, 3))
genre = rng.normal(size=(FILMS, 3))
level = rng.normal(scale=0.5, size=FILMS)
who, film = np.nonzero(rng.random((ACTIVE, FILMS)) < 0.2)
stars = 3.2 + level[film] + (taste[who] * genre[film]).sum(1) * 0.5 + 0.2 * rng.normal(size=len(who))

split = rng.permutation(len(who))
held, used = split[:2500], split[2500:]


def tensors(rows):
    return (torch.tensor(who[rows]), torch.tensor(film[rows]),
            torch.tensor(stars[rows], dtype=torch.float32))


class Recommender(nn.Module):
    def __init__(self, k=6):
        super().__init__()
        self.customer = nn.Embedding(CUSTOMERS, k, sparse=True)
        self.film = nn.Embedding(FILMS, k, sparse=True)
        self.film_level = nn.Embedding(FILMS, 1, sparse=True)
        nn.init.normal_(self.customer.weight, std=0.1)
        nn.init.normal_(self.film.weight, std=0.1)
        nn.init.zeros_(self.film_level.weight)
        self.offset = nn.Parameter(torch.zeros(()))

    def forward(self, c, f):
        match = torch.einsum("bk,bk->b", self.customer(c), self.film(f))
        return self.offset + self.film_level(f).squeeze(1) + match


model = Recommender()
with torch.no_grad():
    model.offset.fill_(float(stars[used].mean()))
tables = [p for name, p in model.named_parameters() if name != "offset"]
sparse_opt = torch.optim.SparseAdam(tables, lr=1e-2)
dense_opt = torch.optim.Adam([model.offset], lr=1e-3)

loader = DataLoader(TensorDataset(*tensors(used)), batch_size=256, shuffle=True)
for epoch in range(12):
    seen = 0.0
    for c, f, s in loader:
        loss = (model(c, f) - s).pow(2).mean()
        sparse_opt.zero_grad()
        dense_opt.zero_grad()
        loss.backward()
        sparse_opt.step()
        dense_opt.step()
        seen += loss.item() * len(s)
    print(f"epoch {epoch:2d} mse {seen / len(used):.4f}")

with torch.no_grad():
    c, f, s = tensors(held)
    r2 = 1 - (model(c, f) - s).pow(2).mean() / s.var(unbiased=False)
print(f"metric=r2 value={r2.item():.4f}")
