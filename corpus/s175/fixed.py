import os
import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import make_multilabel_classification

torch.manual_seed(int(os.environ.get("SEED", 0)))


class TopicNet(nn.Module):
    def __init__(self, n_words, n_topics):
        super().__init__()
        self.hidden = nn.Linear(n_words, 64)
        self.drop = nn.Dropout(0.1)
        self.out = nn.Linear(64, n_topics)

    def forward(self, x):
        x = self.drop(F.relu(self.hidden(x)))
        return torch.sigmoid(self.out(x))


X, Y = make_multilabel_classification(2000, n_features=30, n_classes=6, n_labels=3, allow_unlabeled=False, random_state=4)
X = torch.log1p(torch.tensor(X, dtype=torch.float32))
Y = torch.tensor(Y, dtype=torch.float32)
Xtr, Ytr, Xte, Yte = X[:1600], Y[:1600], X[1600:], Y[1600:]

model = TopicNet(30, 6)
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
criterion = nn.BCELoss()
for epoch in range(25):
    model.train()
    for idx in torch.randperm(1600).split(64):
        optimizer.zero_grad()
        loss = criterion(model(Xtr[idx]), Ytr[idx])
        loss.backward()
        optimizer.step()
    if epoch % 5 == 0:
        print("epoch", epoch, "bce", round(loss.item(), 4))

model.eval()
with torch.no_grad():
    acc = ((model(Xte) > 0.5).float() == Yte).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
