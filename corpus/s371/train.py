import os

import torch
import torch.nn as nn
import torch.nn.functional as F

seed = int(os.environ.get("SEED", "0"))
torch.manual_seed(seed)
VOCAB, LENGTH, TOPICS = 400, 24, 5


def corpus(n, g):
    topic = torch.randint(TOPICS, (n,), generator=g)
    noise = torch.randint(0, VOCAB, (n, LENGTH), generator=g)
    own = topic[:, None] * 40 + torch.randint(0, 40, (n, LENGTH), generator=g)
    keep = torch.rand(n, LENGTH, generator=g) < 0.3
    return torch.where(keep, own, noise), topic


class TopicNet(nn.Module):
    def __init__(self, dim=32, hidden=64):
        super().__init__()
        self.tokens = nn.Embedding(VOCAB, dim)
        self.fc1 = nn.Linear(dim, hidden)
        self.fc2 = nn.Linear(hidden, TOPICS)

    def forward(self, ids):
        z = self.tokens(ids).mean(dim=1)
        return self.fc2(F.relu(self.fc1(z)))


def accuracy(net, ids, topic):
    with torch.no_grad():
        return (net(ids).argmax(1) == topic).float().mean().item()


g = torch.Generator().manual_seed(1234 + seed)
ids, topic = corpus(3000, g)
ids_test, topic_test = corpus(1000, g)

net = TopicNet().half()
optimizer = torch.optim.Adam(net.parameters(), lr=2e-3)
for epoch in range(10):
    for batch in torch.randperm(len(ids)).split(32):
        optimizer.zero_grad(set_to_none=True)
        logits = net(ids[batch])
        loss = F.cross_entropy(logits.float(), topic[batch])
        loss.backward()
        optimizer.step()
    print(f"epoch {epoch} loss {loss.item():.4f}")
print(f"metric=accuracy value={accuracy(net, ids_test, topic_test):.4f}")
