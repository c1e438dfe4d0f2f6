import os
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.autograd import Variable
from sklearn.datasets import make_moons

torch.manual_seed(int(os.environ.get("SEED", 0)))

X, y = make_moons(n_samples=500, noise=0.1, random_state=3)
X, y = torch.FloatTensor(X), torch.LongTensor(y)


class Net(nn.Module):
    def __init__(self):
        super(Net, self).__init__()
        self.hidden1 = nn.Linear(2, 20)
        self.hidden2 = nn.Linear(20, 20)
        self.out = nn.Linear(20, 2)

    def forward(self, x):
        x = F.relu(self.hidden1(x))
        x = F.relu(self.hidden2(x))
        return F.log_softmax(self.out(x), dim=1)


net = Net()
optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
criterion = nn.NLLLoss()

for epoch in range(60):
    for i in range(0, 400, 20):
        inputs, labels = Variable(X[i:i + 20]), Variable(y[i:i + 20])
        optimizer.zero_grad()
        outputs = net(inputs)
        loss = criterion(outputs, labels)
        loss.backward()
        optimizer.step()
    if epoch % 10 == 0:
        print('epoch %d loss %.4f' % (epoch, loss.item()))

pred = net(X[400:]).data.max(1)[1]
acc = pred.eq(y[400:]).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
