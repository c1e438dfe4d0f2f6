import os
import torch
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split

seed = int(os.environ.get("SEED", "0"))
torch.manual_seed(seed)

data = load_breast_cancer()
code = {"benign": 1, "malignant": 2}
labels = [code[data.target_names[k]] for k in data.target]
X_train, X_test, y_train, y_test = train_test_split(data.data, labels, test_size=0.3, random_state=seed, stratify=labels)
mu, sigma = X_train.mean(axis=0), X_train.std(axis=0)
X_train = torch.tensor((X_train - mu) / sigma, dtype=torch.float32)
X_test = torch.tensor((X_test - mu) / sigma, dtype=torch.float32)
y_train = torch.tensor(y_train, dtype=torch.float32)
y_test = torch.tensor(y_test, dtype=torch.float32)


class LogisticRegression:
    def __init__(self, n_features, l2=1e-3):
        self.w = torch.zeros(n_features, requires_grad=True)
        self.b = torch.zeros(1, requires_grad=True)
        self.l2 = l2

    def decision(self, X):
        return X @ self.w + self.b

    def cost(self, X, y):
        z = self.decision(X)
        log_p = torch.nn.functional.logsigmoid(z)
        log_q = torch.nn.functional.logsigmoid(-z)
        return -(y * log_p + (1 - y) * log_q).mean() + self.l2 * (self.w ** 2).sum()

    def fit(self, X, y, alpha=0.1, iterations=8000):
        for i in range(iterations):
            J = self.cost(X, y)
            dw, db = torch.autograd.grad(J, [self.w, self.b])
            with torch.no_grad():
                self.w -= alpha * dw
                self.b -= alpha * db
            if i % 2000 == 0:
                print(f"Iteration {i:5d}: cost {J.item():.4f}")
        return self

    @torch.no_grad()
    def predict(self, X):
        return torch.where(self.decision(X) > 0, 2.0, 1.0)


clf = LogisticRegression(X_train.shape[1]).fit(X_train, y_train)
acc = (clf.predict(X_test) == y_test).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
