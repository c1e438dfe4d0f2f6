import os
import numpy as np
import torch

seed = int(os.environ.get("SEED", 0))
torch.manual_seed(seed)
np.random.seed(seed)

pairs = np.array([[a, b] for a in range(1, 21) for b in range(1, 21)], dtype=np.float32)
products = (pairs[:, 0] * pairs[:, 1]).reshape(-1, 1)
order = np.random.RandomState(0).permutation(len(pairs))
train, test = order[:320], order[320:]
inputs, targets = torch.from_numpy(pairs / 20), torch.from_numpy(products / 400)

model = torch.nn.Sequential(
    torch.nn.Linear(2, 24),
    torch.nn.Tanh(),
    torch.nn.Linear(24, 24),
    torch.nn.Tanh(),
    torch.nn.Linear(24, 1),
)
optimiser = torch.optim.Adam(model.parameters())
mse = torch.nn.MSELoss()

for epoch in range(150):
    np.random.shuffle(train)
    for k in range(0, 320, 32):
        rows = train[k:k + 32]
        optimiser.zero_grad()
        error = mse(model(inputs[rows]), targets[rows])
        error.backward()
        optimiser.step()
    if (epoch + 1) % 30 == 0:
        print("epoch", epoch + 1, "error", round(error.item(), 3))

with torch.no_grad():
    guess = model(inputs[test]).numpy()
truth = targets[test].numpy()
print("7 x 8 =", round(model(torch.tensor([[7 / 20, 8 / 20]])).item(), 2))
r2 = 1 - ((guess - truth) ** 2).sum() / ((truth - truth.mean()) ** 2).sum()
print(f"metric=r2 value={r2:.4f}")
