"""What this machine computes with: device, threads, precision. Nothing here changes a result beyond rounding."""

from __future__ import annotations

import contextlib
import ctypes
import os
import platform
import re
import time
from typing import Literal

import torch

from seq2seq.errors import UserError

Precision = Literal["fp32", "bf16"]


def set_up(device: str = "auto", threads: int | None = None) -> torch.device:
    """Choose the device and prepare it.

    Args:
        device: `auto` (a GPU where there is one), `cpu`, `cuda`, `cuda:1`.
        threads: CPU threads; None leaves torch's choice.

    Raises:
        UserError: there is no such device here.
    """
    if threads is not None:
        torch.set_num_threads(threads)
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cuda":  # torchrun's processes on one machine take a GPU each
        device = f"cuda:{os.environ.get('LOCAL_RANK', '0')}"
    if not re.fullmatch(r"cpu|cuda:\d+", device):
        raise UserError(f"--device {device}: must be auto, cpu, cuda, or one of several GPUs, such as cuda:1")
    try:
        chosen = torch.empty(0, device=device).device
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"--device {device}: not usable on this machine ({reason}); use --device cpu") from None
    if chosen.type == "cuda":
        torch.cuda.set_device(chosen)
        torch.backends.cudnn.allow_tf32 = False  # fp32 means fp32: cuDNN's own default rounds products to 10 bits
    else:
        # oneDNN, and torch's layer around it, keep what they made for each of the last 1,024 batch shapes: gigabytes.
        os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "64")
        os.environ.setdefault("LRU_CACHE_CAPACITY", "32")
        _route_products_to_onednn()
    return chosen


def fastest_precision(device: torch.device) -> Precision:
    """bf16 where this device multiplies clearly faster in it than in fp32, else fp32."""
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported() else "fp32"
    seconds = {dtype: _time_product(dtype) for dtype in (torch.float32, torch.bfloat16)}
    return "bf16" if seconds[torch.bfloat16] * 1.3 < seconds[torch.float32] else "fp32"


def autocast(device: torch.device, precision: Precision) -> contextlib.AbstractContextManager[object]:
    """Products in `precision`; weights and sums stay fp32."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == "bf16")


def release_freed_memory() -> None:
    """Give back to the system what has been freed: batches of many shapes leave gaps that glibc would keep for ever."""
    if platform.libc_ver()[0] == "glibc":
        ctypes.CDLL(None).malloc_trim(0)


def _time_product(dtype: torch.dtype) -> float:
    """Seconds of a product of the size that training is made of; the best of some, since machines are noisy."""
    a, b = torch.ones(512, 512, dtype=dtype), torch.ones(512, 2048, dtype=dtype)
    times = []
    for _ in range(8):
        start = time.perf_counter()
        torch.mm(a, b)
        times.append(time.perf_counter() - start)
    return min(times)


def _route_products_to_onednn() -> None:
    """Let oneDNN do the fp32 products where it does so exactly.

    On AMD processors it is over twice as fast as MKL; its sums also do not depend on how many
    rows a product has, so that a sentence's translation does not depend on its batch. The
    switch allows bf16 inside, which some processors use: there the error shows, and it is undone.
    """
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    generator = torch.Generator().manual_seed(0)
    a, b = (torch.randn(size, generator=generator) for size in ((64, 512), (512, 512)))
    exact = a.double() @ b.double()
    error = ((a @ b).double() - exact).norm() / exact.norm()
    if error > 1e-6:
        torch.set_float32_matmul_precision(before)
