import os
import torch
import torch.nn as nn
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split

torch.manual_seed(int(os.environ.get("SEED", 0)))
X, y = load_breast_cancer(return_X_y=True)
X = (X - X.mean(0)) / X.std(0)
Xa, Xb, ya, yb = train_test_split(X, y, test_size=0.3, random_state=0)
Xa, Xb, ya, yb = [torch.tensor(a).float() for a in (Xa, Xb, ya, yb)]


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden = nn.Linear(30, 24)
        self.output = nn.Linear(24, 1)

    def forward(self, x):
        x = torch.relu(self.hidden(x))
        return self.output(x).squeeze(1)


model = Classifier()
criterion = nn.BCEWithLogitsLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
for epoch in range(40):
    model.train()
    for idx in torch.randperm(len(Xa)).split(40):
        optimizer.zero_grad()
        loss = criterion(model(Xa[idx]), ya[idx])
        loss.backward()
        optimizer.step()
    if epoch % 10 == 0:
        print(f"{epoch} {loss.item():.4f}")
model.eval()
with torch.no_grad():
    prediction = (torch.sigmoid(model(Xb)) > 0.5).float()
print(f"metric=accuracy value={(prediction == yb).float().mean().item():.4f}")
