import os
import torch
from sklearn.datasets import load_iris
from sklearn.model_selection import train_test_split

torch.manual_seed(int(os.environ.get("SEED", 0)))
iris = load_iris()
X = (iris.data - iris.data.mean(0)) / iris.data.std(0)
Xtr, Xte, ytr, yte = train_test_split(X, iris.target, test_size=0.3, random_state=0, stratify=iris.target)
Xtr, Xte = torch.tensor(Xtr).float(), torch.tensor(Xte).float()
ytr, yte = torch.tensor(ytr), torch.tensor(yte)


class Flower(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.l1 = torch.nn.Linear(4, 16)
        self.l2 = torch.nn.Linear(16, 3)
        self.softmax = torch.nn.LogSoftmax(dim=0)

    def forward(self, x):
        return self.softmax(self.l2(torch.sigmoid(self.l1(x))))


model = Flower()
loss_func = torch.nn.NLLLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
for epoch in range(150):
    optimizer.zero_grad()
    out = model(Xtr)
    loss = loss_func(out, ytr)
    loss.backward()
    optimizer.step()
    if epoch % 30 == 0:
        print(f"Epoch {epoch} loss {loss.item():.4f}")
model.eval()
right = sum(int(model(v.unsqueeze(0)).argmax(1).item() == t) for v, t in zip(Xte, yte.tolist()))
print(f"metric=accuracy value={right / len(yte):.4f}")
