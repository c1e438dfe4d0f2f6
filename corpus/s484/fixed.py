import os

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset, random_split


class LitRowReader(nn.Module):
    """Reads a digit row by row with a GRU."""

    def __init__(self, hidden=48, lr=3e-3, gamma=0.85):
        super().__init__()
        self.hparams = dict(lr=lr, gamma=gamma)
        self.gru = nn.GRU(8, hidden, batch_first=True, bidirectional=True)
        self.head = nn.Sequential(nn.LayerNorm(2 * hidden), nn.Linear(2 * hidden, 10))
        self.loss = nn.CrossEntropyLoss()

    def forward(self, x):
        out, _ = self.gru(x)
        return self.head(out.mean(dim=1))

    def training_step(self, batch):
        x, y = batch
        return self.loss(self(x), y)

    def configure_optimizers(self):
        opt = torch.optim.Adam([
            {"params": self.gru.parameters()},
            {"params": self.head.parameters(), "lr": 0.5 * self.hparams["lr"]},
        ], lr=self.hparams["lr"])
        return opt, torch.optim.lr_scheduler.ExponentialLR(opt, gamma=self.hparams["gamma"])


class Trainer:
    def __init__(self, max_epochs):
        self.max_epochs = max_epochs

    def fit(self, module, loader):
        opt, sched = module.configure_optimizers()
        for epoch in range(self.max_epochs):
            module.train()
            losses = []
            for batch in loader:
                opt.zero_grad()
                loss = module.training_step(batch)
                loss.backward()
                opt.step()
                losses.append(loss.item())
            sched.step()
            print(f"epoch {epoch:2d} train_loss {np.mean(losses):.4f}")

    @torch.no_grad()
    def test(self, module, loader):
        module.eval()
        hits = [(module(x).argmax(1) == y).float() for x, y in loader]
        return torch.cat(hits).mean().item()


if __name__ == "__main__":
    seed = int(os.environ.get("SEED", "0"))
    torch.manual_seed(seed)
    np.random.seed(seed)
    digits = load_digits()
    data = TensorDataset(torch.tensor(digits.images / 16.0).float(), torch.tensor(digits.target))
    train, test = random_split(data, [1400, len(data) - 1400])
    module, trainer = LitRowReader(), Trainer(max_epochs=15)
    trainer.fit(module, DataLoader(train, batch_size=64, shuffle=True))
    print(f"metric=accuracy value={trainer.test(module, DataLoader(test, batch_size=256)):.4f}")
