import os
import torch
import torch.nn as nn
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

torch.manual_seed(int(os.environ.get("SEED", 0)))

X, y = load_digits(return_X_y=True)
y = y % 2
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.3, random_state=0)
scaler = StandardScaler()
X_train = torch.tensor(scaler.fit_transform(X_train)).float()
X_test = torch.tensor(scaler.transform(X_test)).float()
y_train, y_test = torch.tensor(y_train).float(), torch.tensor(y_test).float()


class SVMNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(nn.Linear(64, 20), nn.Tanh())
        self.margin = nn.Linear(20, 1)

    def forward(self, x):
        return self.margin(self.features(x)).flatten()


model = SVMNet()
criterion = nn.SoftMarginLoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
for epoch in range(40):
    for rows in torch.randperm(len(X_train)).split(32):
        optimizer.zero_grad()
        loss = criterion(model(X_train[rows]), y_train[rows])
        loss.backward()
        optimizer.step()
    if epoch % 10 == 0:
        print("Epoch", epoch, "Loss", round(loss.item(), 4))

with torch.no_grad():
    acc = ((model(X_test) > 0).float() == y_test).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
