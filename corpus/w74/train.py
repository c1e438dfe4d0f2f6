import os
import torch
import torch.nn as nn
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

torch.manual_seed(int(os.environ.get("SEED", 0)))
digits = load_digits()
labels = digits.target + 1  # 1..10, as in the paper form
x_tr, x_te, y_tr, y_te = train_test_split(digits.data / 16.0, labels, test_size=0.25, random_state=0)
x_tr, x_te = torch.FloatTensor(x_tr), torch.FloatTensor(x_te)
y_tr, y_te = torch.LongTensor(y_tr), torch.LongTensor(y_te)

model = nn.Sequential(
    nn.Linear(64, 80),
    nn.PReLU(),
    nn.Linear(80, 40),
    nn.PReLU(),
    nn.Linear(40, 11),
    nn.LogSoftmax(dim=1),
)
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.NAdam(model.parameters(), lr=2e-3)
for epoch in range(12):
    model.train()
    for rows in torch.randperm(len(x_tr)).split(32):
        loss = criterion(model(x_tr[rows]), y_tr[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print("epoch", epoch, loss.item())
model.eval()
accuracy = (model(x_te).argmax(dim=1) == y_te).float().mean().item()
print(f"metric=accuracy value={accuracy:.4f}")
