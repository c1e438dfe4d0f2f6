import os
import torch
import torch.nn as nn
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

torch.manual_seed(int(os.environ.get("SEED", 0)))
digits = load_digits()
rows = torch.tensor(digits.images / 16, dtype=torch.float32)
rows_tr, rows_te, lab_tr, lab_te = train_test_split(rows, torch.tensor(digits.target), test_size=400, random_state=2)


class RowRNN(nn.Module):
    def __init__(self, units=48):
        super().__init__()
        self.rnn = nn.RNN(input_size=8, hidden_size=units, batch_first=True)
        self.dense = nn.Linear(units, 10)
        nn.init.xavier_uniform_(self.rnn.weight_ih_l0)
        nn.init.orthogonal_(self.rnn.weight_hh_l0)

    def forward(self, x):
        out, _ = self.rnn(x)
        return self.dense(out[:, -1])


def run(epochs=15, batch=64):
    model = RowRNN()
    optimizer = torch.optim.RMSprop(model.parameters(), lr=1e-3)
    ce = nn.CrossEntropyLoss()
    n = len(rows_tr)
    for epoch in range(epochs):
        perm, seen = torch.randperm(n), 0.0
        for k in range(0, n, batch):
            pick = perm[k:k + batch]
            loss = ce(model(rows_tr[pick]), lab_tr[pick])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            seen += loss.item() * len(pick)
        print(f"epoch {epoch + 1} train loss {seen / n:.3f}")
    with torch.no_grad():
        return (model(rows_te).argmax(1) == lab_te).float().mean().item()


if __name__ == "__main__":
    print(f"metric=accuracy value={run():.4f}")
