import os
import torch
import torch.nn as nn

torch.manual_seed(int(os.environ.get("SEED", "0")))

words = ["the cat sat on the mat. ", "a dog ran to the park. ", "birds sing at dawn. ", "we drink tea. "]
text = "".join(words[k] for k in torch.randint(0, 4, (1200,)).tolist())
chars = sorted(set(text))
stoi = {c: i for i, c in enumerate(chars)}
data = torch.tensor([stoi[c] for c in text])
n_streams, bptt = 16, 20
cut = int(0.9 * len(data))
held = data[cut:]
data = data[:cut // n_streams * n_streams].view(n_streams, -1)


class CharLSTM(nn.Module):
    def __init__(self, n, hidden=48):
        super().__init__()
        self.emb = nn.Embedding(n, 16)
        self.lstm = nn.LSTM(16, hidden, batch_first=True)
        self.head = nn.Linear(hidden, n)

    def forward(self, x, state=None):
        h, state = self.lstm(self.emb(x), state)
        return self.head(h), state


model = CharLSTM(len(chars))
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
criterion = nn.CrossEntropyLoss()

for epoch in range(8):
    state = None
    for start in range(0, data.size(1) - bptt - 1, bptt):
        x = data[:, start:start + bptt]
        y = data[:, start + 1:start + bptt + 1]
        logits, state = model(x, state)
        state = tuple(s.detach() for s in state)
        loss = criterion(logits.reshape(-1, len(chars)), y.reshape(-1))
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    print(f"epoch {epoch} loss {loss.item():.4f}")

with torch.no_grad():
    logits, _ = model(held[None, :-1])
    acc = (logits[0].argmax(1) == held[1:]).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
