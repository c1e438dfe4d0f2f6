import os
import torch
from torch import nn

torch.manual_seed(int(os.environ.get("SEED", "0")))

VOCAB, LENGTH = 30, 16
POSITIVE, NEGATIVE = range(1, 6), range(6, 11)


def make_reviews(n):
    tokens = torch.randint(11, VOCAB, (n, LENGTH))
    label = torch.randint(0, 2, (n,))
    for i in range(n):
        words = POSITIVE if label[i] else NEGATIVE
        for place in torch.randperm(LENGTH)[:3]:
            tokens[i, place] = words[torch.randint(0, 5, (1,)).item()]
    return tokens, label.float()


class Sentiment(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(VOCAB, 16)
        self.gru = nn.GRU(16, 32, num_layers=2, batch_first=True)
        self.fc = nn.Linear(32, 1)

    def forward(self, x):
        output, hidden = self.gru(self.embedding(x))
        return self.fc(hidden[-1]).squeeze(1)


train_x, train_y = make_reviews(1000)
test_x, test_y = make_reviews(400)

model = Sentiment()
criterion = nn.BCEWithLogitsLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=3)


def binary_accuracy(x, y):
    model.eval()
    with torch.no_grad():
        rounded = torch.round(torch.sigmoid(model(x)))
    model.train()
    return (rounded == y).float().mean().item()


for epoch in range(10):
    epoch_loss = 0
    for batch in torch.randperm(len(train_x)).split(40):
        optimizer.zero_grad()
        loss = criterion(model(train_x[batch]), train_y[batch])
        loss.backward()
        optimizer.step()
        epoch_loss += loss.item() / 25
    print(f"Epoch: {epoch + 1:02} | Train Loss: {epoch_loss:.3f} | Val. Acc: {binary_accuracy(test_x, test_y) * 100:.2f}%")

print(f"metric=accuracy value={binary_accuracy(test_x, test_y):.4f}")
