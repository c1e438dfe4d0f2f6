import os
import torch

torch.manual_seed(int(os.environ.get("SEED", 0)))
torch.set_default_dtype(torch.float64)

R_GAS = 8.314e-3
# rate of a reaction between 5 and 45 degrees, log of the rate against temperature
T = 278.15 + 40 * torch.rand(150)
ln_k = 24.0 - 55.0 / (R_GAS * T) + 0.05 * torch.randn(150)
T_train, T_test, k_train, k_test = T[:110], T[110:], ln_k[:110], ln_k[110:]


class Arrhenius(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.ln_a = torch.nn.Parameter(torch.tensor(10.0))
        self.ea = torch.nn.Parameter(torch.tensor(20.0))

    def forward(self, T):
        return self.ln_a - self.ea * (1 / (R_GAS * T) - 1 / (R_GAS * 297.0)) / 0.02


model = Arrhenius()
opt = torch.optim.SGD(model.parameters(), lr=2e-3, momentum=0.9)
for epoch in range(1500):
    loss = (model(T_train) - k_train).pow(2).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
    if epoch % 250 == 0:
        print(f"{epoch} mse {loss.item():.5f} lnA {model.ln_a.item():.3f} Ea {model.ea.item():.3f}")

with torch.no_grad():
    r2 = 1 - (model(T_test) - k_test).pow(2).mean() / k_test.var(unbiased=False)
print(f"metric=r2 value={r2.item():.4f}")
