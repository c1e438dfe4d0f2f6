import os
import numpy as np
import torch
from sklearn.datasets import load_iris
from sklearn.model_selection import train_test_split

SEED = int(os.environ.get("SEED", "0"))
torch.manual_seed(SEED)
np.random.seed(SEED)


def get_data():
    iris = load_iris()
    keep = iris.target > 0            # versicolor against virginica
    X, y = iris.data[keep], iris.target[keep] - 1
    X_tr, X_te, y_tr, y_te = train_test_split(X, y, test_size=0.3, stratify=y, random_state=SEED)
    mean, std = X_tr.mean(0), X_tr.std(0)
    to = lambda a: torch.tensor(a, dtype=torch.float32)
    return to((X_tr - mean) / std), to((X_te - mean) / std), to(y_tr), to(y_te)


class LogisticRegression:
    def __init__(self, n_features):
        self.w = torch.zeros(n_features, requires_grad=True)
        self.b = torch.zeros(1, requires_grad=True)

    def logit(self, X):
        return X @ self.w + self.b

    def predict(self, X):
        return (torch.sigmoid(self.logit(X)) > 0.5).float()

    def cost(self, X, y):
        z = self.logit(X)
        log_p = -torch.nn.functional.softplus(-z)
        log_q = -torch.nn.functional.softplus(z)
        return -(y * log_p + (1 - y) * log_q).mean()

    def fit(self, X, y, alpha=0.1, iterations=3000):
        for k in range(iterations):
            J = self.cost(X, y)
            dw, db = torch.autograd.grad(J, [self.w, self.b])
            with torch.no_grad():
                self.w -= alpha * dw
                self.b -= alpha * db
            if k % 500 == 0:
                print(f"iteration {k}: cost {J.item():.4f}")


X_train, X_test, y_train, y_test = get_data()
clf = LogisticRegression(4)
clf.fit(X_train, y_train)
acc = (clf.predict(X_test) == y_test).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
