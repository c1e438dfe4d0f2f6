import os
import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

torch.manual_seed(int(os.environ.get("SEED", 0)))
X, y = load_digits(return_X_y=True)
xa, xb, ya, yb = train_test_split(X / 16.0, y, test_size=0.25, random_state=0)
xa, xb = torch.tensor(xa).float(), torch.tensor(xb).float()
ya, yb = torch.tensor(ya), torch.tensor(yb)


class Student(nn.Module):
    def __init__(self, h):
        super().__init__()
        self.f = nn.Sequential(nn.Linear(64, h), nn.ReLU(), nn.Linear(h, 10))

    def forward(self, x):
        return self.f(x)


teacher, student = Student(128), Student(16)
opt = torch.optim.Adam(teacher.parameters(), lr=2e-3)
for epoch in range(8):
    for i in torch.randperm(len(xa)).split(64):
        opt.zero_grad()
        F.cross_entropy(teacher(xa[i]), ya[i]).backward()
        opt.step()
teacher.eval().requires_grad_(False)
opt = torch.optim.Adam(student.parameters(), lr=5e-3)
T = 3.0
for epoch in range(15):
    for i in torch.randperm(len(xa)).split(64):
        logits = student(xa[i])
        soft = F.kl_div(F.log_softmax(logits / T, 1), F.softmax(teacher(xa[i]) / T, 1), reduction="batchmean") * T * T
        loss = 0.7 * soft + 0.3 * F.cross_entropy(logits, ya[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
    print(epoch, loss.item())
acc = (student(xb).argmax(1) == yb).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
