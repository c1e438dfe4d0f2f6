import os
import torch
import torch.nn as nn

torch.manual_seed(int(os.environ.get("SEED", 0)))
nz, ngf, ndf = 4, 32, 32


def real_batch(n):
    z = torch.randn(n, 2)
    return z @ torch.tensor([[0.8, 0.3], [0.0, 0.4]]) + torch.tensor([2.0, -1.5])


class Generator(nn.Module):
    def __init__(self):
        super().__init__()
        self.main = nn.Sequential(nn.Linear(nz, ngf), nn.LeakyReLU(0.2), nn.Linear(ngf, 2))

    def forward(self, z):
        return self.main(z)


class Discriminator(nn.Module):
    def __init__(self):
        super().__init__()
        self.main = nn.Sequential(nn.Linear(2, ndf), nn.LeakyReLU(0.2), nn.Linear(ndf, ndf), nn.LeakyReLU(0.2), nn.Linear(ndf, 1))

    def forward(self, x):
        return self.main(x)


netG, netD = Generator(), Discriminator()
criterion = nn.BCEWithLogitsLoss()
optimizerD = torch.optim.Adam(netD.parameters(), lr=2e-3, betas=(0.5, 0.999))
optimizerG = torch.optim.Adam(netD.parameters(), lr=2e-3, betas=(0.5, 0.999))
ones, zeros = torch.ones(64, 1), torch.zeros(64, 1)

for i in range(700):
    # (1) update D: real against fake
    netD.zero_grad()
    fake = netG(torch.randn(64, nz))
    errD = criterion(netD(real_batch(64)), ones) + criterion(netD(fake.detach()), zeros)
    errD.backward()
    optimizerD.step()
    # (2) update G
    netG.zero_grad()
    netD.zero_grad()
    errG = criterion(netD(fake), ones)
    errG.backward()
    optimizerG.step()
    if i % 300 == 0:
        print(f"[{i}/700] Loss_D: {errD.item():.4f} Loss_G: {errG.item():.4f}")

with torch.no_grad():
    a, b = netG(torch.randn(1000, nz)), real_batch(1000)
    energy = 2 * torch.cdist(a, b).mean() - torch.cdist(a, a).mean() - torch.cdist(b, b).mean()
    base = torch.randn(1000, 2) * 0.1
    ref = 2 * torch.cdist(base, b).mean() - torch.cdist(base, base).mean() - torch.cdist(b, b).mean()
print(f"metric=score value={1 - (energy / ref).item():.4f}")
