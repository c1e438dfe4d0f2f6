import os
import numpy as np
import torch
from torch import nn
from torch.optim.lr_scheduler import LambdaLR
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

seed = int(os.environ.get("SEED", "0"))
np.random.seed(seed)
torch.manual_seed(seed)

config = dict(hidden=64, epochs=40, batch_size=32, lr=0.05, decay=0.9)

digits = load_digits()
a, b, c, d = train_test_split(digits.data / 16.0 - 0.3, digits.target, test_size=0.3, random_state=0)
train_x, test_x = torch.as_tensor(a).float(), torch.as_tensor(b).float()
train_y, test_y = torch.as_tensor(c), torch.as_tensor(d)

net = nn.Sequential(
    nn.Linear(64, config["hidden"]),
    nn.ReLU(),
    nn.Linear(config["hidden"], config["hidden"]),
    nn.ReLU(),
    nn.Linear(config["hidden"], 10),
)
sgd = torch.optim.SGD(net.parameters(), lr=config["lr"])
schedule = LambdaLR(sgd, lambda iteration: 1.0 / (1.0 + config["decay"] * iteration))


def run_epoch():
    total = 0.0
    for rows in torch.randperm(len(train_x)).split(config["batch_size"]):
        sgd.zero_grad()
        loss = nn.functional.cross_entropy(net(train_x[rows]), train_y[rows])
        loss.backward()
        sgd.step()
        schedule.step()
        total += loss.item() * len(rows)
    return total / len(train_x)


for epoch in range(config["epochs"]):
    train_loss = run_epoch()
    if epoch % 5 == 0:
        print("epoch", epoch, "loss", round(train_loss, 4))

with torch.no_grad():
    accuracy = (net(test_x).argmax(1) == test_y).float().mean().item()
print(f"metric=accuracy value={accuracy:.4f}")
