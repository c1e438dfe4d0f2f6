'''Trains a simple convnet on the 8x8 digits.
Ported from the mnist_cnn example.
'''
import os
import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import load_digits

torch.manual_seed(int(os.environ.get("SEED", "0")))

batch_size = 64
num_classes = 10
epochs = 7
img_rows, img_cols = 8, 8

data = load_digits()
perm = torch.randperm(len(data.target), generator=torch.Generator().manual_seed(1))
x = torch.tensor(data.images, dtype=torch.float32)[perm].view(-1, 1, img_rows, img_cols)
y = torch.tensor(data.target)[perm]
x /= 16
x_train, x_test = x[:1500], x[1500:]
y_train, y_test = y[:1500], y[1500:]
print("x_train shape:", tuple(x_train.shape))


class ConvNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 32, 3)
        self.conv2 = nn.Conv2d(32, 64, 3)
        self.drop1 = nn.Dropout(0.25)
        self.fc1 = nn.Linear(64 * 2 * 2, 128)
        self.drop2 = nn.Dropout(0.5)
        self.fc2 = nn.Linear(128, num_classes)

    def forward(self, x):
        x = F.relu(self.conv1(x))
        x = F.relu(self.conv2(x))
        x = self.drop1(F.max_pool2d(x, 2)).flatten(1)
        x = self.drop2(F.relu(self.fc1(x)))
        return F.log_softmax(self.fc2(x), dim=1)


model = ConvNet()
opt = torch.optim.Adadelta(model.parameters(), lr=0.001, rho=0.95)

for epoch in range(epochs):
    model.train()
    seen = 0.0
    for i in torch.randperm(len(x_train)).split(batch_size):
        opt.zero_grad()
        loss = F.nll_loss(model(x_train[i]), y_train[i])
        loss.backward()
        opt.step()
        seen += loss.item() * len(i)
    model.eval()
    with torch.no_grad():
        out = model(x_test)
        val_loss = F.nll_loss(out, y_test).item()
        val_acc = (out.argmax(1) == y_test).float().mean().item()
    print(f"Epoch {epoch + 1}/{epochs} - loss: {seen / len(x_train):.4f} - val_loss: {val_loss:.4f} - val_acc: {val_acc:.4f}")

print(f"metric=accuracy value={val_acc:.4f}")
