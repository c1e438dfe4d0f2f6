import os
import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import load_digits


class LeNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.c1 = nn.Conv2d(1, 6, 3, padding=1)
        self.c2 = nn.Conv2d(6, 16, 3, padding=1)
        self.f3 = nn.Linear(16 * 4, 120)
        self.f4 = nn.Linear(120, 84)
        self.f5 = nn.Linear(84, 40)
        self.f6 = nn.Linear(40, 10)

    def forward(self, img):
        out = F.avg_pool2d(torch.sigmoid(self.c1(img)), 2)
        out = F.avg_pool2d(torch.sigmoid(self.c2(out)), 2)
        out = out.view(out.size(0), -1)
        out = torch.sigmoid(self.f3(out))
        out = torch.sigmoid(self.f4(out))
        out = torch.sigmoid(self.f5(out))
        return self.f6(out)


def accuracy(net, images, labels):
    with torch.no_grad():
        return (net(images).argmax(1) == labels).float().mean().item()


if __name__ == "__main__":
    torch.manual_seed(int(os.environ.get("SEED", "0")))
    d = load_digits()
    images = torch.tensor(d.images, dtype=torch.float32)[:, None] / 16
    images = (images - images.mean()) / images.std()
    labels = torch.tensor(d.target)
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(1))
    images, labels = images[order], labels[order]

    net = LeNet()
    opt = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
    for epoch in range(16):
        for k in torch.randperm(1300).split(32):
            loss = F.cross_entropy(net(images[k]), labels[k])
            opt.zero_grad()
            loss.backward()
            opt.step()
        print(epoch, f"{loss.item():.4f}", f"{accuracy(net, images[1300:], labels[1300:]):.4f}")
    print(f"metric=accuracy value={accuracy(net, images[1300:], labels[1300:]):.4f}")
