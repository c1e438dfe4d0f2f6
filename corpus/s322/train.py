import os
import numpy as np
import torch
import torch.nn as nn
from sklearn.datasets import make_multilabel_classification
from sklearn.metrics import f1_score

seed = int(os.environ.get("SEED", 0))
torch.manual_seed(seed)

# word counts of articles, each with several tags
counts, tags = make_multilabel_classification(n_samples=3000, n_features=60, n_classes=8, n_labels=3, length=120,
                                              allow_unlabeled=False, random_state=5)
X = torch.tensor(np.log1p(counts), dtype=torch.float32)
X = (X - X[:2400].mean(0)) / (X[:2400].std(0) + 1e-6)
Y = torch.tensor(tags, dtype=torch.float32)


class Tagger(nn.Module):
    def __init__(self, words, classes):
        super().__init__()
        self.features = nn.Sequential(nn.Linear(words, 96), nn.ReLU(), nn.Dropout(0.2), nn.Linear(96, 48), nn.ReLU())
        self.head = nn.Sequential(nn.Linear(48, classes), nn.Softmax(dim=1))

    def forward(self, x):
        return self.head(self.features(x))


net = Tagger(60, 8)
criterion = nn.BCELoss()
opt = torch.optim.RMSprop(net.parameters(), lr=1e-3)
for epoch in range(30):
    net.train()
    running = []
    for idx in torch.randperm(2400).split(50):
        opt.zero_grad()
        loss = criterion(net(X[idx]), Y[idx])
        loss.backward()
        opt.step()
        running.append(loss.item())
    if epoch % 6 == 5:
        print("epoch", epoch + 1, "bce", round(float(np.mean(running)), 4))

net.eval()
with torch.no_grad():
    guess = (net(X[2400:]) > 0.5).int().numpy()
print(f"metric=f1 value={f1_score(tags[2400:], guess, average='micro'):.4f}")
