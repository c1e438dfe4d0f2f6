import os
import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

torch.manual_seed(int(os.environ.get("SEED", 0)))
X, y = load_digits(return_X_y=True)
Xa, Xb, ya, yb = train_test_split(X / 16.0, y, test_size=0.25, random_state=4)
Xa, Xb = torch.tensor(Xa).float(), torch.tensor(Xb).float()
ya, yb = torch.tensor(ya), torch.tensor(yb)


class Classifier(nn.Module):
    def __init__(self, sigma):
        super().__init__()
        self.stack = nn.ModuleList([nn.Linear(64, 64) for _ in range(5)])
        self.head = nn.Linear(64, 10)
        for name, p in self.named_parameters():
            if name.endswith("weight"):
                nn.init.trunc_normal_(p, std=sigma)
            else:
                nn.init.zeros_(p)

    def forward(self, x):
        for layer in self.stack:
            x = F.gelu(layer(x))
        return self.head(x)


model = Classifier(sigma=0.18)
opt = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
for epoch in range(15):
    for idx in torch.randperm(len(Xa)).split(32):
        opt.zero_grad()
        loss = F.cross_entropy(model(Xa[idx]), ya[idx])
        loss.backward()
        opt.step()
    if epoch % 3 == 2:
        print(epoch + 1, loss.item())
acc = (model(Xb).argmax(1) == yb).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
