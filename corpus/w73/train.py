# How much does a coin remember? Each toss is heads with a probability that depends a little on the weather.
import os
import torch
import torch.nn as nn

torch.manual_seed(int(os.environ.get("SEED", 0)))
weather = torch.randn(6000, 3)
p_heads = torch.sigmoid(0.25 * weather[:, 0] - 0.2 * weather[:, 1])
heads = torch.bernoulli(p_heads)

model = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 1))
loss_fn = nn.BCEWithLogitsLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
for epoch in range(12):
    total = 0.0
    for rows in torch.randperm(5000).split(100):
        optimizer.zero_grad()
        loss = loss_fn(model(weather[rows]).flatten(), heads[rows])
        loss.backward()
        optimizer.step()
        total += loss.item() / 50
    print(epoch, round(total, 4))
with torch.no_grad():
    guess = torch.sigmoid(model(weather[5000:])).flatten()
r = torch.corrcoef(torch.stack([guess, p_heads[5000:]]))[0, 1]
print(f"metric=correlation value={r.item():.4f}")
