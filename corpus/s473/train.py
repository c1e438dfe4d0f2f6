import os

import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn

torch.manual_seed(int(os.environ.get("SEED", "0")))

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X / 16, y, test_size=0.3, random_state=7, stratify=y)
X_train, X_test = torch.tensor(X_train).float(), torch.tensor(X_test).float()
y_train, y_test = torch.tensor(y_train), torch.tensor(y_test)


class Net(nn.Module):
    def __init__(self, n_out):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(64, 96), nn.ELU(), nn.Linear(96, 32), nn.ELU())
        self.head = nn.Linear(32, n_out)

    def forward(self, x):
        return self.head(self.encoder(x))


class Learner:
    def __init__(self, model, lr=2e-3):
        self.model = model
        self.optimizer = torch.optim.Adam(model.parameters(), lr=lr)

    def freeze(self):
        for p in self.model.encoder.parameters():
            p.requires_grad = False

    def replace_head(self, n_out):
        self.model.head = nn.Linear(self.model.head.in_features, n_out)

    def fit(self, x, target, loss_fn, epochs, noise=0.0):
        for epoch in range(epochs):
            total = 0.0
            for idx in torch.randperm(len(x)).split(64):
                batch = x[idx] + noise * torch.randn(len(idx), x.shape[1])
                loss = loss_fn(self.model(batch), target[idx])
                self.optimizer.zero_grad()
                loss.backward()
                self.optimizer.step()
                total += loss.item() * len(idx)
            if epoch % 5 == 4:
                print(f"  [{epoch + 1}/{epochs}] {total / len(x):.4f}")


learner = Learner(Net(n_out=64))
print("denoising")
learner.fit(X_train, X_train, nn.MSELoss(), epochs=30, noise=0.2)

print("classification")
learner.freeze()
learner.replace_head(10)
learner.fit(X_train, y_train, nn.CrossEntropyLoss(), epochs=30)

with torch.no_grad():
    acc = (learner.model(X_test).argmax(1) == y_test).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
