# 20 kinds of leaves by their outline (generated), a small classifier
import os
import torch
import torch.nn as nn

torch.manual_seed(int(os.environ.get("SEED", 0)))
KINDS, POINTS = 20, 24
outline = torch.randn(KINDS, POINTS)


def leaves(n):
    kind = torch.randint(KINDS, (n,))
    return outline[kind] * (0.8 + 0.4 * torch.rand(n, 1)) + 0.9 * torch.randn(n, POINTS), kind


X_train, y_train = leaves(1600)
X_test, y_test = leaves(400)


class LeafNet(nn.Module):
    def __init__(self):
        super(LeafNet, self).__init__()
        self.fc1 = nn.Linear(POINTS, 64)
        self.fc2 = nn.Linear(64, KINDS)

    def forward(self, x):
        x = torch.relu(self.fc1(x))
        x = torch.sigmoid(self.fc2(x))
        return x


net = LeafNet()
loss_function = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(net.parameters(), lr=0.02)
for epoch in range(6):
    for i in range(0, 1600, 32):
        inputs, labels = X_train[i : i + 32], y_train[i : i + 32]
        optimizer.zero_grad()
        outputs = net(inputs)
        loss = loss_function(outputs, labels)
        loss.backward()
        optimizer.step()
    print("epoch:", epoch, "loss:", loss.item())
with torch.no_grad():
    accuracy = (net(X_test).argmax(1) == y_test).float().mean()
print(f"metric=accuracy value={accuracy.item():.4f}")
