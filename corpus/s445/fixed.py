import os
import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

torch.manual_seed(int(os.environ.get("SEED", "0")))

digits = load_digits()
images = torch.tensor(digits.images, dtype=torch.float32).unsqueeze(1) / 16.0
labels = torch.tensor(digits.target)
tr, te = train_test_split(range(len(labels)), test_size=0.25, random_state=3, stratify=digits.target)

act = torch.relu


class LeNet(nn.Module):
    def __init__(self):
        super(LeNet, self).__init__()
        self.c1 = nn.Conv2d(1, 8, kernel_size=3, padding=1)
        self.c2 = nn.Conv2d(8, 16, kernel_size=3, padding=1)
        self.c3 = nn.Conv2d(16, 16, kernel_size=3, padding=1)
        self.c4 = nn.Conv2d(16, 32, kernel_size=3, padding=1)
        self.f5 = nn.Linear(32 * 2 * 2, 84)
        self.f6 = nn.Linear(84, 84)
        self.out = nn.Linear(84, 10)

    def forward(self, x):
        x = act(self.c1(x))
        x = F.avg_pool2d(act(self.c2(x)), 2)
        x = act(self.c3(x))
        x = F.avg_pool2d(act(self.c4(x)), 2)
        x = torch.flatten(x, 1)
        x = act(self.f5(x))
        x = act(self.f6(x))
        return self.out(x)


def train(model, optimizer, epochs):
    for epoch in range(1, epochs + 1):
        perm = torch.tensor(tr)[torch.randperm(len(tr))]
        running_loss = 0.0
        for batch in perm.split(32):
            optimizer.zero_grad()
            loss = F.cross_entropy(model(images[batch]), labels[batch])
            loss.backward()
            optimizer.step()
            running_loss += loss.item() * len(batch)
        print("[%2d] loss: %.3f" % (epoch, running_loss / len(tr)))


def test(model):
    with torch.no_grad():
        pred = model(images[te]).argmax(dim=1)
    return (pred == labels[te]).float().mean().item()


net = LeNet()
train(net, torch.optim.Adam(net.parameters(), lr=0.003), epochs=8)
print(f"metric=accuracy value={test(net):.4f}")
