"""timm's networks, ready to be compared with themselves with another attention inside."""

import timm
import torch

SIZES = {"haloregnetz_b": 224, "sehalonet33ts": 256}
CLASSES = 5


def network(name, **options):
    """Small enough to test, in float64; normalisation as after training, and no branch that adds nothing."""
    torch.manual_seed(11)
    made = timm.create_model(name, num_classes=CLASSES, zero_init_last=False, **options).double().eval()
    for layer in made.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.running_mean.normal_(std=0.1)
            layer.running_var.uniform_(0.5, 1.5)
    return made


def output_and_gradients(module, x):
    """The output, and the gradient of every parameter by its name."""
    module.zero_grad()
    out = module(x)
    out.mul(torch.linspace(-1, 1, out.numel(), dtype=out.dtype).view_as(out)).sum().backward()
    return {"output": out.detach()} | {name: p.grad.clone() for name, p in module.named_parameters()}


def largest_difference(actual, expected):
    """Relative to the norm of each."""
    return max(float((actual[name] - x).norm() / x.norm().clamp_min(1e-30)) for name, x in expected.items())


def images(name):
    size = SIZES.get(name, 256)
    return torch.randn(1, 3, size, size, dtype=torch.float64, generator=torch.Generator().manual_seed(5))
