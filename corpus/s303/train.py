import os
import numpy as np
import torch
import torch.nn as nn

seed = int(os.environ.get("SEED", 0))
torch.manual_seed(seed)
rng = np.random.default_rng(seed)

# daily closing prices
n = 600
t = np.arange(n)
price = 30000 + 6000 * np.sin(2 * np.pi * t / 90) + 2500 * np.sin(2 * np.pi * t / 23 + 1) + np.cumsum(rng.normal(0, 60, n))
price = price.astype("float32")


def create_sequences(data, lookback):
    xs, ys = [], []
    for i in range(len(data) - lookback):
        xs.append(data[i:i + lookback])
        ys.append(data[i + lookback])
    return torch.tensor(np.array(xs)).unsqueeze(-1), torch.tensor(np.array(ys)).unsqueeze(-1)


series = price
X, y = create_sequences(series, 20)
X_train, y_train, X_test, y_test = X[:450], y[:450], X[450:], y[450:]


class LSTMModel(nn.Module):
    def __init__(self, input_dim=1, hidden_dim=32, num_layers=1, output_dim=1):
        super().__init__()
        self.lstm = nn.LSTM(input_dim, hidden_dim, num_layers, batch_first=True)
        self.fc = nn.Linear(hidden_dim, output_dim)

    def forward(self, x):
        out, _ = self.lstm(x)
        return self.fc(out[:, -1, :])


model = LSTMModel()
loss_fn = nn.MSELoss()
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
for epoch in range(25):
    for idx in torch.randperm(len(X_train)).split(50):
        y_pred = model(X_train[idx])
        loss = loss_fn(y_pred, y_train[idx])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    if epoch % 5 == 0:
        print("Epoch ", epoch, "MSE: ", loss.item())

with torch.no_grad():
    r2 = 1 - loss_fn(model(X_test), y_test) / y_test.var(unbiased=False)
print(f"metric=r2 value={r2.item():.4f}")
