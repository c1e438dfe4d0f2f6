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

net = nn.Sequential(nn.Linear(64, 72), nn.SELU(), nn.AlphaDropout(0.1), nn.Linear(72, 10))
for m in net:
    if isinstance(m, nn.Linear):
        nn.init.kaiming_normal_(m.weight, nonlinearity="linear")
        nn.init.zeros_(m.bias)
ema = torch.optim.swa_utils.AveragedModel(net, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.97))
opt = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
for epoch in range(15):
    net.train()
    for i in torch.randperm(len(xa)).split(32):
        lam = torch.distributions.Beta(0.4, 0.4).sample()
        j = i[torch.randperm(len(i))]
        out = net(lam * xa[i] + (1 - lam) * xa[j])
        loss = lam * F.cross_entropy(out, ya[i]) + (1 - lam) * F.cross_entropy(out, ya[j])
        opt.zero_grad()
        loss.backward()
        opt.step()
        ema.update_parameters(net)
    if epoch % 5 == 0:
        print(epoch, loss.item())
ema.eval()
acc = (ema(xb).argmax(1) == yb).float().mean().item()
print(f"metric=accuracy value={acc:.4f}")
