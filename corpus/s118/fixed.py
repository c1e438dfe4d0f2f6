import os
import torch
import torch.nn as nn

torch.manual_seed(int(os.environ.get("SEED", 0)))
# image intensities come from two sources: floats in 0..1 and, by a slip in one loader, bytes in 0..255
n = 2000
pattern = torch.rand(5, 36)
label = torch.randint(0, 5, (n,))
x = (pattern[label] + 0.35 * torch.randn(n, 36)).clamp(0, 1)
slip = torch.rand(n) < 0.0
train_x = torch.where(slip[:, None], x * 255, x)
train_x, train_y, test_x, test_y = train_x[:1500], label[:1500], x[1500:], label[1500:]

net = nn.Sequential(nn.Linear(36, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 5))
opt = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
for epoch in range(20):
    for i in torch.randperm(1500).split(25):
        loss = nn.functional.cross_entropy(net(train_x[i]), train_y[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
    if epoch % 4 == 0:
        print(epoch, loss.item())
acc = (net(test_x).argmax(1) == test_y).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
