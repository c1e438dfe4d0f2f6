import os
import torch
import torch.nn as nn

torch.manual_seed(int(os.environ.get("SEED", 0)))

words = "the cat sat on a mat and saw ten red hens run by old elm trees".split()
g = torch.Generator().manual_seed(5)
text = " ".join(words[i] for i in torch.randint(0, len(words), (1600,), generator=g).tolist())
chars = sorted(set(text))
ids = torch.tensor([chars.index(c) for c in text])


def batchify(data, bsz):
    nbatch = data.size(0) // bsz
    return data.narrow(0, 0, nbatch * bsz).view(bsz, -1).t().contiguous()


class RNNModel(nn.Module):
    def __init__(self, ntoken, ninp, nhid):
        super().__init__()
        self.encoder = nn.Embedding(ntoken, ninp)
        self.rnn = nn.LSTM(ninp, nhid)
        self.decoder = nn.Linear(nhid, ntoken)
        nn.init.uniform_(self.encoder.weight, -0.1, 0.1)
        nn.init.uniform_(self.decoder.weight, -0.1, 0.1)
        nn.init.zeros_(self.decoder.bias)

    def forward(self, input, hidden):
        output, hidden = self.rnn(self.encoder(input), hidden)
        return self.decoder(output).view(-1, len(chars)), hidden


bptt, bsz, lr = 25, 16, 20
source = batchify(ids, bsz)
n_train = int(0.85 * len(source))
model = RNNModel(len(chars), 24, 48)
criterion = nn.CrossEntropyLoss()


def run(data, training):
    hidden, total, n = None, 0.0, 0
    for i in range(0, len(data) - 1 - bptt, bptt):
        x, y = data[i:i + bptt], data[i + 1:i + 1 + bptt].reshape(-1)
        if hidden is not None:
            hidden = tuple(h.detach() for h in hidden)
        model.zero_grad()
        output, hidden = model(x, hidden)
        loss = criterion(output, y)
        if training:
            loss.backward()
            for p in model.parameters():
                p.data.add_(p.grad, alpha=-lr)
        total, n = total + loss.item(), n + 1
    return total / n


for epoch in range(8):
    print(f"epoch {epoch} | lr {lr} | loss {run(source[:n_train], True):.3f}")

with torch.no_grad():
    skill = 1 - run(source[n_train:], False) / torch.log(torch.tensor(float(len(chars)))).item()
print(f"metric=skill value={skill:.4f}")
