import os
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset


def stations(n):
    pressure = 101325 + 900 * torch.randn(n)
    temperature = 288 + 9 * torch.randn(n)
    humidity = (0.6 + 0.15 * torch.randn(n)).clamp(0.05, 1.0)
    wind = 6 * torch.rand(n)
    X = torch.stack([pressure, temperature, humidity, wind], 1)
    p, t, h = (pressure - 101325) / 900, (temperature - 288) / 9, (humidity - 0.6) / 0.15
    y = 1.2 * t - 0.8 * p + 0.7 * torch.tanh(p * h) + 0.1 * wind + 0.15 * torch.randn(n)
    return X, ((y - 0.3) / 1.5).unsqueeze(1)


class DewNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.inp = nn.BatchNorm1d(4)
        self.net = nn.Sequential(
            nn.Linear(4, 48), nn.BatchNorm1d(48), nn.ReLU(), nn.Dropout(0.05),
            nn.Linear(48, 48), nn.BatchNorm1d(48), nn.ReLU(),
            nn.Linear(48, 1),
        )

    def forward(self, x):
        return self.net(self.inp(x))


class Trainer:
    def __init__(self, model, train, val, lr=5e-3, epochs=25):
        self.model, self.train_loader, self.val_loader = model, train, val
        self.opt = torch.optim.Adam(model.parameters(), lr=lr)
        self.crit = nn.SmoothL1Loss()
        self.epochs = epochs

    @torch.no_grad()
    def validate(self, limit=None):
        self.model.eval()
        ys, ps = [], []
        for i, (x, y) in enumerate(self.val_loader):
            if limit is not None and i >= limit:
                break
            ys.append(y)
            ps.append(self.model(x))
        y, p = torch.cat(ys), torch.cat(ps)
        return (1 - ((y - p) ** 2).sum() / ((y - y.mean()) ** 2).sum()).item()

    def fit(self):
        self.model.train()
        print("sanity check", f"{self.validate(limit=1):.3f}")
        for epoch in range(self.epochs):
            total = 0.0
            for x, y in self.train_loader:
                self.opt.zero_grad()
                loss = self.crit(self.model(x), y)
                loss.backward()
                self.opt.step()
                total += loss.item()
            if epoch % 5 == 4:
                print(f"epoch {epoch + 1} loss {total / len(self.train_loader):.4f} val {self.validate():.4f}")


if __name__ == "__main__":
    torch.manual_seed(int(os.environ.get("SEED", 0)))
    torch.set_num_threads(1)
    X, y = stations(2000)
    train = DataLoader(TensorDataset(X[:1500], y[:1500]), batch_size=64, shuffle=True, drop_last=True)
    val = DataLoader(TensorDataset(X[1500:], y[1500:]), batch_size=250)
    trainer = Trainer(DewNet(), train, val)
    trainer.fit()
    print(f"metric=r2 value={trainer.validate():.4f}")
