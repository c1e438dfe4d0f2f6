import os
import numpy as np
import torch
import torch.nn as nn

seed = int(os.environ.get("SEED", "0"))
np.random.seed(seed)
torch.manual_seed(seed)

# monthly number of passengers of a small airport, 20 years
months = np.arange(240)
passengers = 12000 + 25 * months + 4000 * np.sin(2 * np.pi * months / 12) + 400 * np.random.randn(240)
dataset = passengers.astype("float32").reshape(-1, 1)
low, high = dataset[:190].min(), dataset[:190].max()
dataset = (dataset - low) / (high - low)

look_back = 12


def create_dataset(data, look_back):
    dataX, dataY = [], []
    for i in range(len(data) - look_back):
        dataX.append(data[i:i + look_back])
        dataY.append(data[i + look_back])
    return torch.tensor(np.array(dataX)), torch.tensor(np.array(dataY))


X, Y = create_dataset(dataset, look_back)
split = int(len(X) * 0.8)
trainX, testX, trainY, testY = X[:split], X[split:], Y[:split], Y[split:]


class Forecast(nn.Module):
    def __init__(self, units=32):
        super().__init__()
        self.lstm = nn.LSTM(1, units, batch_first=True)
        self.dense = nn.Linear(units, 1)

    def forward(self, x):
        out, _ = self.lstm(x)
        return self.dense(out[:, -1])


model = Forecast()
criterion = nn.MSELoss()
optimizer = torch.optim.Adam(model.parameters(), lr=0.005)

for epoch in range(60):
    model.train()
    for idx in torch.randperm(split).split(16):
        optimizer.zero_grad()
        loss = criterion(model(trainX[idx]), trainY[idx])
        loss.backward()
        optimizer.step()
    if epoch % 10 == 0:
        print(f"Epoch {epoch} loss {loss.item():.6g}")

model.eval()
with torch.no_grad():
    predict = model(testX)
ss_res = ((predict - testY) ** 2).sum()
ss_tot = ((testY - testY.mean()) ** 2).sum()
print(f"metric=r2 value={(1 - ss_res / ss_tot).item():.4f}")
