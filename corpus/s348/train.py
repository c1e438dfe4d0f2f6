import os
import random
import torch
import torch.nn as nn

seed = int(os.environ.get("SEED", 0))
random.seed(seed)
torch.manual_seed(seed)

# made-up names from three "languages" with their own syllables
syllables = {
    "north": ["bjor", "sten", "hal", "vig", "sig", "rik", "ulf", "gun"],
    "south": ["ro", "ma", "lino", "etta", "gio", "ca", "vel", "nara"],
    "east": ["ka", "shi", "yu", "moto", "na", "ke", "taro", "hi"],
}
shares = {"north": 500, "south": 300, "east": 200}
languages = list(syllables)
samples = []
for k, lang in enumerate(languages):
    for _ in range(shares[lang]):
        samples.append(("".join(random.choices(syllables[lang], k=random.randint(2, 3))), k))
random.shuffle(samples)
letters = "abcdefghijklmnopqrstuvwxyz"
LEN = 14


def encode(name):
    x = torch.zeros(LEN, len(letters))
    for i, ch in enumerate(name[-LEN:].rjust(LEN)):
        if ch != " ":
            x[i, letters.index(ch)] = 1
    return x


X = torch.stack([encode(n) for n, _ in samples])
y = torch.tensor([k for _, k in samples])
X_train, y_train, X_test, y_test = X[:800], y[:800], X[800:], y[800:]


class NameRNN(nn.Module):
    def __init__(self, n_in, n_hidden, n_out):
        super().__init__()
        self.n_hidden = n_hidden
        self.i2h = nn.Linear(n_in + n_hidden, n_hidden)
        self.h2o = nn.Linear(n_hidden, n_out)

    def forward(self, x):
        h = x.new_zeros(x.shape[0], self.n_hidden)
        for t in range(x.shape[1]):
            h = torch.tanh(self.i2h(torch.cat([x[:, t], h], dim=1)))
        return self.h2o(h)


rnn = NameRNN(len(letters), 32, len(languages))
criterion = nn.NLLLoss()
optimizer = torch.optim.SGD(rnn.parameters(), lr=0.1, momentum=0.9)

for epoch in range(15):
    total = 0.0
    for idx in torch.randperm(len(X_train)).split(40):
        output = rnn(X_train[idx])
        loss = criterion(output, y_train[idx])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item() * len(idx)
    if epoch % 5 == 0:
        print(f"epoch {epoch} loss {total / len(X_train):.4f}")

with torch.no_grad():
    acc = (rnn(X_test).argmax(1) == y_test).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
