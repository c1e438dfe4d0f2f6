import os
import torch
import torch.nn as nn

torch.manual_seed(int(os.environ.get("SEED", 0)))

inputs = torch.tensor([[0, 0], [0, 1], [1, 0], [1, 1]], dtype=torch.float32)
targets = torch.tensor([[0], [1], [1], [0]], dtype=torch.float32)

net = nn.Sequential(nn.Linear(2, 8), nn.Sigmoid(), nn.Linear(8, 1), nn.Sigmoid())
mse = nn.MSELoss()
sgd = torch.optim.SGD(net.parameters(), lr=0.8, momentum=0.9)

for epoch in range(1200):
    for i in torch.randperm(4).tolist():
        sgd.zero_grad()
        loss = mse(net(inputs[i:i + 1]), targets[i:i + 1])
        loss.backward()
        sgd.step()
    if epoch % 200 == 0:
        with torch.no_grad():
            print(f"epoch {epoch:5d} mse {mse(net(inputs), targets).item():.5f}")

with torch.no_grad():
    out = net(inputs)
print([round(v, 3) for v in out.flatten().tolist()])
print(f"metric=accuracy value={((out > 0.5) == (targets > 0.5)).float().mean().item():.4f}")
