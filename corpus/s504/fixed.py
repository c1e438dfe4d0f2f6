import os
import torch
import torch.nn as nn
from sklearn.datasets import load_wine
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

CONFIG = {
    "layers": [13, 30, 30, 30, 30, 30, 30, 30],
    "activation": torch.relu,
    "n_classes": 3,
    "lr": 0.05,
    "epochs": 110,
    "batch": 12,
}


class DeepClassifier(nn.Module):
    def __init__(self, layers, activation, n_classes, **_):
        super().__init__()
        self.activation = activation
        self.hidden = nn.ModuleList()
        for n_in, n_out in zip(layers[:-1], layers[1:]):
            layer = nn.Linear(n_in, n_out)
            nn.init.xavier_normal_(layer.weight)
            nn.init.zeros_(layer.bias)
            self.hidden.append(layer)
        self.classify = nn.Linear(layers[-1], n_classes)

    def forward(self, x):
        for layer in self.hidden:
            x = self.activation(layer(x))
        return torch.log_softmax(self.classify(x), dim=-1)


def load(seed):
    X, y = load_wine(return_X_y=True)
    parts = train_test_split(X, y, test_size=0.25, stratify=y, random_state=seed)
    scaler = StandardScaler().fit(parts[0])
    X_train, X_test = (torch.tensor(scaler.transform(p), dtype=torch.float32) for p in parts[:2])
    y_train, y_test = (torch.tensor(p) for p in parts[2:])
    return X_train, X_test, y_train, y_test


def main():
    seed = int(os.environ.get("SEED", "0"))
    torch.manual_seed(seed)
    X_train, X_test, y_train, y_test = load(seed)
    model = DeepClassifier(**CONFIG)
    nll = nn.NLLLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=CONFIG["lr"])
    for epoch in range(CONFIG["epochs"]):
        for idx in torch.randperm(len(X_train)).split(CONFIG["batch"]):
            optimizer.zero_grad()
            loss = nll(model(X_train[idx]), y_train[idx])
            loss.backward()
            optimizer.step()
        if epoch % 25 == 0:
            with torch.no_grad():
                full = nll(model(X_train), y_train).item()
            print(f"epoch {epoch}: train nll {full:.4f}")
    with torch.no_grad():
        acc = (model(X_test).argmax(-1) == y_test).float().mean().item()
    print(f"metric=accuracy value={acc:.4f}")


if __name__ == "__main__":
    main()
