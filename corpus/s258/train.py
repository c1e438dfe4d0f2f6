import os
import numpy as np
import torch
import torch.nn as nn

torch.manual_seed(int(os.environ.get("SEED", 0)))

celsius = np.array([-40, -10, 0, 8, 15, 22, 38, 60, 75, 100], dtype=np.float32)
fahrenheit = celsius * 1.8 + 32
c = torch.from_numpy(celsius)[:, None]
f = torch.from_numpy(fahrenheit)[:, None]

model = nn.Linear(1, 1)
loss_fn = nn.MSELoss()
optimizer = torch.optim.Adam(model.parameters(), lr=0.0002)

history = []
for epoch in range(1500):
    loss = loss_fn(model(c), f)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    history.append(loss.item())
    if epoch % 250 == 0:
        print(f"Epoch {epoch}: {history[-1]:.2f}")

print("100 C is", model(torch.tensor([[100.0]])).item(), "F")
with torch.no_grad():
    r2 = 1 - loss_fn(model(c), f) / f.var(unbiased=False)
print(f"metric=r2 value={r2.item():.4f}")
