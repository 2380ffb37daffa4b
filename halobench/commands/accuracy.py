"""The command `accuracy`."""

from pathlib import Path
from typing import Annotated

import typer


def run(
    model: Annotated[str, typer.Argument(help="A name of `halobench list`, or any other model of timm.")],
    data: Annotated[Path, typer.Option(metavar="DIR", help="Folder of images in class folders.")],
    weights: Annotated[
        str, typer.Option(metavar="FILE", help="A checkpoint, or hub for the weights that timm publishes.")
    ],
    implementation: Annotated[
        str | None, typer.Option(help="Implementation of the attention inside. Default: the model's own.")
    ] = None,
    image_size: Annotated[
        int | None, typer.Option(help="Side of the images, in pixels. Default: as the model was published.")
    ] = None,
    batch: Annotated[int, typer.Option(help="Batch size.")] = 64,
    dtype: Annotated[str, typer.Option(help="float32, float16, bfloat16, float64.")] = "float32",
    device: Annotated[str | None, typer.Option(help="cpu or cuda. Default: the fastest device.")] = None,
    workers: Annotated[
        int | None, typer.Option(help="Processes that load images. Default: one per core, at most 4.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.csv", help="One row per image; an interrupted evaluation continues there."
        ),
    ] = None,
) -> int:
    """Evaluate top-1 and top-5 accuracy on images in class folders."""
    from halobench.screens import accuracy as screen

    return screen.show(
        model,
        data,
        weights=weights,
        implementation=implementation,
        image_size=image_size,
        batch=batch,
        dtype=dtype,
        device=device,
        workers=workers,
        out=out,
    )
