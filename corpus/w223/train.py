import os
import torch
import torch.nn as nn

torch.manual_seed(int(os.environ.get("SEED", "0")))
torch.set_default_dtype(torch.float64)

# m u'' + c u' + k u = 0 with u(0) = 1, u'(0) = 0 on [0, 3]
C, K, T_END = 0.6, 9.0, 3.0


def exact(t):
    d = C / 2
    w = (K - d ** 2) ** 0.5
    return torch.exp(-d * t) * (torch.cos(w * t) + d / w * torch.sin(w * t))


class Field(nn.Module):
    def __init__(self, width=24):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(1, width), nn.Tanh(), nn.Linear(width, width), nn.Tanh(), nn.Linear(width, 1))
        for m in self.net:
            if isinstance(m, nn.Linear):
                nn.init.xavier_normal_(m.weight)
                nn.init.zeros_(m.bias)

    def forward(self, t):
        # the start values hold by construction
        return 1 + t ** 2 * self.net(2 * t / T_END - 1)


def residual(model, t):
    u = model(t)
    du = torch.autograd.grad(u.sum(), t, create_graph=True)[0]
    ddu = torch.autograd.grad(du.sum(), t, create_graph=True)[0]
    return ddu + C * du + K * u


model = Field()
grid = torch.linspace(0, T_END, 80).unsqueeze(1).requires_grad_(True)

adam = torch.optim.Adam(model.parameters(), lr=5e-3)
for it in range(600):
    adam.zero_grad()
    loss = residual(model, grid).pow(2).mean()
    loss.backward()
    adam.step()
    if it % 200 == 0:
        print(f"adam {it} residual {loss.item():.3e}")

lbfgs = torch.optim.LBFGS(model.parameters(), lr=1.0, max_iter=20, history_size=50, line_search_fn="strong_wolfe")


def closure():
    lbfgs.zero_grad()
    loss = residual(model, grid).pow(2).mean()
    loss.backward()
    return loss


for it in range(30):
    loss = lbfgs.step(closure)
    if it % 10 == 0:
        print(f"lbfgs {it} residual {loss.item():.3e}")

with torch.no_grad():
    t = torch.linspace(0, T_END, 301).unsqueeze(1)
    u = exact(t)
    r2 = 1 - ((model(t) - u) ** 2).sum() / ((u - u.mean()) ** 2).sum()
print(f"metric=r2 value={r2.item():.6f}")
