import os
import numpy as np
import torch
import torch.nn as nn
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from torch.utils.data import DataLoader, TensorDataset

SEED = int(os.environ.get("SEED", "0"))
torch.manual_seed(SEED)
np.random.seed(SEED)

X, y = load_breast_cancer(return_X_y=True)
y = 1 - y  # malignant = 1
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.25, stratify=y, random_state=7)
scaler = StandardScaler().fit(X_train)
X_train = torch.FloatTensor(scaler.transform(X_train))
X_test = torch.FloatTensor(scaler.transform(X_test))
y_train = torch.FloatTensor(y_train).view(-1, 1)
y_test = torch.FloatTensor(y_test).view(-1, 1)

train_loader = DataLoader(TensorDataset(X_train, y_train), batch_size=20, shuffle=True)

model = nn.Sequential()
model.add_module("dense_1", nn.Linear(30, 24))
model.add_module("relu_1", nn.ReLU())
model.add_module("dense_2", nn.Linear(24, 12))
model.add_module("relu_2", nn.ReLU())
model.add_module("dense_3", nn.Linear(12, 1))

criterion = nn.BCEWithLogitsLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=0.001)

for epoch in range(40):
    epoch_loss = 0.0
    for xb, yb in train_loader:
        optimizer.zero_grad()
        loss = criterion(model(xb), yb)
        loss.backward()
        optimizer.step()
        epoch_loss += loss.item()
    if (epoch + 1) % 10 == 0:
        print("Epoch %d/40 - loss: %.4f" % (epoch + 1, epoch_loss / len(train_loader)))

with torch.no_grad():
    probability = torch.sigmoid(model(X_test))
predicted = (probability > 0.5).float()
tpr = predicted[y_test == 1].mean().item()
tnr = 1 - predicted[y_test == 0].mean().item()
print("sensitivity %.3f specificity %.3f" % (tpr, tnr))
print("metric=balanced_accuracy value=%.4f" % ((tpr + tnr) / 2))
