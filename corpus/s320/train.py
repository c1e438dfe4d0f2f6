import os
import random
import torch
import torch.nn as nn

seed = int(os.environ.get("SEED", 0))
torch.manual_seed(seed)
random.seed(seed)

letters = "abcdefghijklmnopqrstuvwxyz"
endings = {"Italian": ["ini", "elli", "otti"], "Russian": ["ov", "sky", "ev"], "Polish": ["czyk", "icz", "wicz"],
           "Greek": ["akis", "oulos", "idis"], "Irish": ["agh", "ney", "ley"], "Dutch": ["stra", "boer", "meer"],
           "Czech": ["cek", "nek", "vec"], "Portuguese": ["eira", "ares", "elho"], "Swedish": ["son", "qvist", "strom"],
           "Japanese": ["moto", "yama", "saki"], "Armenian": ["ian", "yan", "iants"], "Basque": ["etxea", "mendi", "zabal"]}
categories = list(endings)


def random_name():
    c = random.randrange(len(categories))
    stem = "".join(random.choice("bcdfgklmnprstv") + random.choice("aeiou") for _ in range(random.randint(1, 2)))
    return (stem + random.choice(endings[categories[c]])).rjust(10, "."), c


def to_batch(n):
    names = [random_name() for _ in range(n)]
    x = torch.tensor([[letters.find(ch) + 1 for ch in name] for name, _ in names])
    return nn.functional.one_hot(x, 27).float(), torch.tensor([c for _, c in names])


class NameGRU(nn.Module):
    def __init__(self, n_hidden):
        super().__init__()
        self.gru = nn.GRU(27, n_hidden, batch_first=True)
        self.h2o = nn.Linear(n_hidden, len(categories))
        self.softmax = nn.Softmax(dim=1)

    def forward(self, x):
        _, h = self.gru(x)
        return self.softmax(self.h2o(h[-1]))


rnn = NameGRU(32)
criterion = nn.NLLLoss()
optimizer = torch.optim.SGD(rnn.parameters(), lr=0.03, momentum=0.9)
for it in range(350):
    x, c = to_batch(32)
    optimizer.zero_grad()
    loss = criterion(rnn(x), c)
    loss.backward()
    optimizer.step()
    if it % 100 == 0:
        print(f"{it} {loss.item():.4f}")

x, c = to_batch(1000)
with torch.no_grad():
    acc = (rnn(x).argmax(1) == c).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
