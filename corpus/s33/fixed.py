import os
import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

torch.manual_seed(int(os.environ.get("SEED", 0)))
X, y = load_digits(return_X_y=True)
Xa, Xb, ya, yb = train_test_split(X / 16.0, y, test_size=0.25, random_state=1)
Xa, Xb = torch.tensor(Xa).float(), torch.tensor(Xb).float()
ya, yb = torch.tensor(ya), torch.tensor(yb)


def mlp(h):
    return nn.Sequential(nn.Linear(64, h), nn.ReLU(), nn.Linear(h, 10))


teacher, student = mlp(128), mlp(12)
opt_t = torch.optim.Adam(teacher.parameters(), lr=3e-3)
for epoch in range(8):
    for i in torch.randperm(len(Xa)).split(64):
        opt_t.zero_grad()
        F.cross_entropy(teacher(Xa[i]), ya[i]).backward()
        opt_t.step()
teacher.eval()

opt_s = torch.optim.SGD(student.parameters(), lr=0.1, momentum=0.9)
for epoch in range(12):
    for i in torch.randperm(len(Xa)).split(32):
        with torch.no_grad():
            soft = F.softmax(teacher(Xa[i]) / 2, 1)
        logits = student(Xa[i])
        loss = F.kl_div(F.log_softmax(logits / 2, 1), soft, reduction="batchmean") * 4 + 0.3 * F.cross_entropy(logits, ya[i])
        student.zero_grad()
        loss.backward()
        opt_s.step()
    print(epoch, loss.item())
acc = (student(Xb).argmax(1) == yb).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
