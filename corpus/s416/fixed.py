import os
import numpy as np
import torch
import torch.nn as nn

SEED = int(os.environ.get("SEED", "0"))
torch.manual_seed(SEED)
rng = np.random.default_rng(SEED)

look_back = 12

# daily closing price of a stock, about two years
days = np.arange(560)
price = 4200 + 350 * np.sin(days / 17.0) + 160 * np.sin(days / 5.3 + 1.0) + rng.normal(0, 15, len(days))


def create_dataset(series, look_back):
    xs, ys = [], []
    for i in range(len(series) - look_back):
        xs.append(series[i:i + look_back])
        ys.append(series[i + look_back])
    return (torch.tensor(np.array(xs), dtype=torch.float32).unsqueeze(-1),
            torch.tensor(np.array(ys), dtype=torch.float32).unsqueeze(-1))


split = 420
price = (price - price[:split].mean()) / price[:split].std()
trainX, trainY = create_dataset(price[:split], look_back)
testX, testY = create_dataset(price[split:], look_back)


class StockLSTM(nn.Module):
    def __init__(self, units=24):
        super().__init__()
        self.lstm = nn.LSTM(1, units, batch_first=True)
        self.dense = nn.Linear(units, 1)

    def forward(self, x):
        seq, _ = self.lstm(x)
        return self.dense(seq[:, -1])


model = StockLSTM()
loss_function = nn.MSELoss()
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)

for epoch in range(40):
    perm = torch.randperm(len(trainX))
    epoch_loss = 0
    for i in range(0, len(perm), 16):
        b = perm[i:i + 16]
        optimizer.zero_grad()
        loss = loss_function(model(trainX[b]), trainY[b])
        loss.backward()
        optimizer.step()
        epoch_loss += loss.item() * len(b)
    if (epoch + 1) % 10 == 0:
        print("epoch", epoch + 1, "mse", epoch_loss / len(perm))

with torch.no_grad():
    forecast = model(testX)
ss_res = ((forecast - testY) ** 2).sum()
ss_tot = ((testY - testY.mean()) ** 2).sum()
print(f"metric=r2 value={(1 - ss_res / ss_tot).item():.4f}")
