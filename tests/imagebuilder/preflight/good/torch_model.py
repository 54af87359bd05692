# SPDX-License-Identifier: Apache-2.0
import base64
import io
import json
import os

import torch
import torch.nn as nn
from PIL import Image
from torchvision import transforms


class Net(nn.Module):
    def __init__(self):
        super(Net, self).__init__()
        self.fc = nn.Linear(10, 2)

    def forward(self, x):
        return self.fc(x)


def init():
    global net, device
    device = torch.device("cuda:0" if torch.cuda.is_available() else "cpu")
    net = Net().to(device)
    net.load_state_dict(torch.load(os.path.join(os.getenv("AZUREML_MODEL_DIR"), "net.pt"), map_location=lambda storage, loc: storage))
    net.eval()


def run(input_data):
    image = Image.open(io.BytesIO(base64.b64decode(json.loads(input_data)["image"])))
    tensor = transforms.ToTensor()(image).unsqueeze(0)
    with torch.no_grad():
        output = net(tensor.to(device))
        softmax = nn.Softmax(dim=1)
        pred_probs = softmax(output).cpu().numpy()[0]
        index = torch.argmax(output, 1)
    return {"label": ["a", "b"][int(index)], "probability": str(pred_probs[int(index)])}
