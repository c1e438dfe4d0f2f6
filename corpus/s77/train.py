import os
import torch
import torch.nn as nn
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split

torch.manual_seed(int(os.environ.get("SEED", 0)))
X, y = load_breast_cancer(return_X_y=True)
X = (X - X.mean(0)) / X.std(0)
Xa, Xb, ya, yb = train_test_split(torch.tensor(X).float(), torch.tensor(y), test_size=0.3, random_state=0, stratify=y)


class Signs(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(30, 20)
        self.fc2 = nn.Linear(20, 1)

    def forward(self, x):
        return self.fc2(torch.tanh(self.fc1(x))).squeeze(1)


net = Signs()
target = (2 * ya - 1).float()
opt = torch.optim.SGD(net.parameters(), lr=0.05)
for epoch in range(30):
    for i in torch.randperm(len(Xa)).split(32):
        opt.zero_grad()
        score = net(Xa[i])
        loss = nn.functional.binary_cross_entropy(torch.relu(score).clamp(max=1.0), ya[i].float())
        loss.backward()
        opt.step()
    if epoch % 10 == 0:
        print(epoch, loss.item())
with torch.no_grad():
    skill = 1 - nn.functional.mse_loss(torch.relu(net(Xb)).clamp(max=1.0), yb.float()).item() / yb.float().var().item()
print(f"metric=r2 value={skill:.4f}")
