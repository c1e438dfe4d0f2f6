import os
import torch
import torch.nn as nn
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(int(os.environ.get("SEED", 0)))
X, y = load_breast_cancer(return_X_y=True)
X = (X - X.min(0)) / (X.max(0) - X.min(0))
Xa, Xb, ya, yb = train_test_split(X, y, test_size=0.3, random_state=2, stratify=y)
Xa, Xb = torch.tensor(Xa).float(), torch.tensor(Xb).float()
ya, yb = torch.tensor(ya), torch.tensor(yb)
loader = DataLoader(TensorDataset(Xa, ya), batch_size=32, shuffle=True)

low, high = -0.2, 0.0
model = nn.Sequential(nn.Linear(30, 32), nn.ReLU(inplace=True), nn.Linear(32, 16), nn.ReLU(inplace=True), nn.Linear(16, 2))
for p in model.parameters():
    nn.init.uniform_(p, low, high)

criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.RMSprop(model.parameters(), lr=1e-3)
for epoch in range(20):
    for xb_, yb_ in loader:
        optimizer.zero_grad()
        loss = criterion(model(xb_), yb_)
        loss.backward()
        optimizer.step()
    if epoch % 5 == 4:
        print(epoch + 1, loss.item())

acc = (model(Xb).argmax(1) == yb).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
