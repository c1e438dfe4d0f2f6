import os
import numpy as np
import torch

seed = int(os.environ.get("SEED", 0))
torch.manual_seed(seed)
rng = np.random.default_rng(seed)
data_rng = np.random.default_rng(99)

X = data_rng.normal(size=(900, 8)).astype(np.float32)
logit = 1.5 * X[:, 0] - X[:, 1] * X[:, 2] + np.sin(2 * X[:, 3])
y = (data_rng.random(900) < 1 / (1 + np.exp(-2 * logit))).astype(np.int64)
clean = (logit > 0).astype(np.int64)
X, y = torch.from_numpy(X), torch.from_numpy(y)

model = torch.nn.Sequential(
    torch.nn.Linear(8, 40), torch.nn.ReLU(), torch.nn.Linear(40, 40), torch.nn.ReLU(), torch.nn.Linear(40, 2))
optimizer = torch.optim.SGD(model.parameters(), lr=0.005)
criterion = torch.nn.CrossEntropyLoss()

for epoch in range(12):
    seen = []
    order = rng.permutation(700)
    for start in range(0, 700, 2):
        rows = order[start:start + 2]
        optimizer.zero_grad()
        loss = criterion(model(X[rows]), y[rows])
        loss.backward()
        optimizer.step()
        seen.append(loss.item())
    if epoch % 3 == 0:
        print(f"epoch {epoch}: mean {np.mean(seen):.3f} min {min(seen):.4f} max {max(seen):.2f}")

with torch.no_grad():
    pred = model(X[700:]).argmax(1).numpy()
print(f"metric=accuracy value={(pred == clean[700:]).mean():.4f}")
