import os
import torch
import torch.nn as nn

torch.manual_seed(int(os.environ.get("SEED", "0")))
SEQ_LEN = 30
HIDDEN = 48


def make_batch(size):
    """Two channels: numbers and markers. Target is the sum of the two marked numbers."""
    numbers = torch.rand(size, SEQ_LEN)
    marks = torch.zeros(size, SEQ_LEN)
    first = torch.randint(0, SEQ_LEN // 2, (size,))
    second = torch.randint(SEQ_LEN // 2, SEQ_LEN, (size,))
    rows = torch.arange(size)
    marks[rows, first] = 1.0
    marks[rows, second] = 1.0
    target = (numbers * marks).sum(dim=1, keepdim=True)
    return torch.stack([numbers, marks], dim=-1), target


class Adder(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.RNN(2, HIDDEN, nonlinearity="relu", batch_first=True)
        self.head = nn.Linear(HIDDEN, 1)
        self.init_weights()

    def init_weights(self):
        nn.init.normal_(self.rnn.weight_ih_l0, std=0.1)
        nn.init.eye_(self.rnn.weight_hh_l0)
        nn.init.zeros_(self.rnn.bias_ih_l0)
        nn.init.zeros_(self.rnn.bias_hh_l0)

    def forward(self, x):
        out, _ = self.rnn(x)
        return self.head(out[:, -1])


model = Adder()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
criterion = nn.MSELoss()

for step in range(1, 1001):
    x, target = make_batch(64)
    loss = criterion(model(x), target)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 100 == 0:
        print(f"step {step}: mse {loss.item():.5f}")

model.eval()
x, target = make_batch(1000)
with torch.no_grad():
    r2 = 1 - criterion(model(x), target) / target.var(unbiased=False)
print(f"metric=r2 value={r2.item():.4f}")
