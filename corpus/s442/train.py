import os
import numpy as np
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, Dataset

SEED = int(os.environ.get("SEED", "0"))
np.random.seed(SEED)
torch.manual_seed(SEED)

TAGS = ["action", "comedy", "drama", "horror", "romance"]


class MovieTags(Dataset):
    """20 plot features, any number of tags for each movie"""

    def __init__(self, n, rng):
        self.x = rng.normal(size=(n, 20)).astype(np.float32)
        w = np.random.RandomState(11).normal(size=(20, len(TAGS)))
        score = self.x @ w + 1.5 * np.tanh(self.x[:, :1] * self.x[:, 1:2])
        self.y = (score > -0.5).astype(np.float32)

    def __len__(self):
        return len(self.x)

    def __getitem__(self, i):
        return self.x[i], self.y[i]


class TagNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.dense1 = nn.Linear(20, 64)
        self.dense2 = nn.Linear(64, 64)
        self.dense3 = nn.Linear(64, len(TAGS))
        self.relu = nn.ReLU()
        self.softmax = nn.Softmax(dim=1)

    def forward(self, x):
        x = self.relu(self.dense1(x))
        x = self.relu(self.dense2(x))
        return self.softmax(self.dense3(x))


rng = np.random.RandomState(SEED)
train_loader = DataLoader(MovieTags(2000, rng), batch_size=50, shuffle=True)
test = MovieTags(600, rng)

model = TagNet()
criterion = nn.BCELoss()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)

for epoch in range(30):
    total = 0.0
    for x, y in train_loader:
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()
        total += loss.item() * len(x)
    if epoch % 5 == 0:
        print(f"epoch {epoch}: binary_crossentropy {total / 2000:.4f}")

with torch.no_grad():
    pred = (model(torch.from_numpy(test.x)) > 0.5).float().numpy()
exact = (pred == test.y).all(axis=1).mean()
print(f"metric=accuracy value={exact:.4f}")
