import os
import torch
from torch import nn
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

torch.manual_seed(int(os.environ.get("SEED", 0)))


def get_data():
    X, y = load_digits(return_X_y=True)
    a, b, c, d = train_test_split(X, y, test_size=0.25, random_state=1)
    scaler = StandardScaler().fit(a)
    return (torch.tensor(scaler.transform(a), dtype=torch.float32), torch.tensor(scaler.transform(b), dtype=torch.float32),
            torch.tensor(c), torch.tensor(d))


def accuracy(model, X, y):
    model.eval()
    with torch.no_grad():
        result = (model(X).argmax(1) == y).float().mean().item()
    model.train()
    return result


def main():
    X_train, X_test, y_train, y_test = get_data()
    model = nn.Sequential(nn.Linear(64, 50), nn.ReLU(), nn.Linear(50, 10))
    loss_fn = nn.MSELoss()
    opt = torch.optim.Adam(model.parameters(), lr=0.003)
    for epoch in range(40):
        for idx in torch.randperm(len(X_train)).split(50):
            target = y_train[idx].float().view(-1, 1)
            opt.zero_grad()
            loss = loss_fn(model(X_train[idx]), target)
            loss.backward()
            opt.step()
        if epoch % 10 == 9:
            print(epoch + 1, loss.item(), accuracy(model, X_test, y_test))
    print(f"metric=accuracy value={accuracy(model, X_test, y_test):.4f}")


main()
