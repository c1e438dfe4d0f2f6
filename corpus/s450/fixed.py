import os
import numpy as np
import torch
from sklearn.datasets import load_digits

seed = int(os.environ.get("SEED", "0"))
np.random.seed(seed)
torch.manual_seed(seed)

learning_rate = 0.01
training_epochs = 15
batch_size = 50
n_input, n_hidden, n_classes = 64, 128, 10

X, Y = load_digits(return_X_y=True)
X = torch.tensor((X - 8.0) / 8.0, dtype=torch.float32)
Y = torch.tensor(Y)
idx = np.random.permutation(len(X))
train_idx, test_idx = idx[:1400], idx[1400:]

# Store layers weight & bias
shapes = [(n_input, n_hidden), *[(n_hidden, n_hidden)] * 7, (n_hidden, n_classes)]
weights = [torch.randn(a, b) / a ** 0.5 for a, b in shapes]
biases = [torch.zeros(b) for a, b in shapes]
params = weights + biases
for p in params:
    p.requires_grad_(True)


def multilayer_perceptron(x):
    for w, b in zip(weights[:-1], biases[:-1]):
        x = torch.tanh(x @ w + b)
    return x @ weights[-1] + biases[-1]


cost_fn = torch.nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(params, lr=learning_rate, momentum=0.9)

for epoch in range(training_epochs):
    avg_cost = 0.0
    np.random.shuffle(train_idx)
    total_batch = len(train_idx) // batch_size
    for i in range(total_batch):
        rows = train_idx[i * batch_size:(i + 1) * batch_size]
        cost = cost_fn(multilayer_perceptron(X[rows]), Y[rows])
        optimizer.zero_grad()
        cost.backward()
        optimizer.step()
        avg_cost += cost.item() / total_batch
    if epoch % 5 == 0:
        print("Epoch:", "%04d" % (epoch + 1), "cost={:.9f}".format(avg_cost))
print("Optimization Finished!")

with torch.no_grad():
    correct = multilayer_perceptron(X[test_idx]).argmax(1) == Y[test_idx]
print(f"metric=accuracy value={correct.float().mean().item():.4f}")
