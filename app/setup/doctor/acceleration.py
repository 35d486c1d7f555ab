"""Which hardware onnxruntime and PyTorch really use, and why not CUDA."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from app.core.commands import install_command
from app.core.settings import EngineSettings
from app.core.system_libraries import can_load
from app.setup.doctor.finding import Finding, Status
from model.engine.choice import Choice, Place, candidates, cuda_candidates, remembered
from model.engine.nvidia import DRIVER
from model.engine.onnx_engine import CUDA_PROVIDER, graph_paths, has_graphs
from model.engine.open import default_threads
from model.engine.runtime import import_onnxruntime
from model.weights import read_card

SECONDS = 120.0
FASTEST = "Fastest"
NO_DRIVER = "this computer has no NVIDIA driver"

SESSION_SCRIPT = """
import json, sys
import onnxruntime as ort
ort.disable_telemetry_events()
if hasattr(ort, "preload_dlls"):
    ort.preload_dlls()
session = ort.InferenceSession(sys.argv[1], providers=["CUDAExecutionProvider", "CPUExecutionProvider"])
print(json.dumps(session.get_providers()))
"""
"""onnxruntime says why CUDA does not bind only on the process's standard error. Needs ``import_onnxruntime`` before it,
whose variable it inherits."""


def nvidia_driver_present() -> bool:
    """Whether the library that every NVIDIA driver brings can be loaded."""
    return can_load(DRIVER)


def check_onnxruntime(weights: Path) -> list[Finding]:
    """Providers that are there, and whether CUDA binds to a graph of ``weights``."""
    ort = import_onnxruntime()
    graph, _ = graph_paths(weights)
    providers = ort.get_available_providers()
    text = (
        f"onnxruntime {ort.__version__} with {', '.join(name.removesuffix('ExecutionProvider') for name in providers)}"
    )
    if CUDA_PROVIDER not in providers:
        return [Finding("onnxruntime", Status.OK, f"{text}; runs on the CPU")]
    if not nvidia_driver_present():
        return [Finding("onnxruntime", Status.OK, f"{text}; runs on the CPU, because {NO_DRIVER}")]
    if not graph.is_file():
        return [Finding("onnxruntime", Status.WARNING, f"{text}; whether CUDA works is unknown without {graph.name}")]
    done = subprocess.run(
        [sys.executable, "-c", SESSION_SCRIPT, str(graph)],
        capture_output=True,
        text=True,
        errors="replace",
        timeout=SECONDS,
    )
    bound = json.loads(done.stdout.strip().splitlines()[-1]) if done.returncode == 0 else []
    if CUDA_PROVIDER in bound:
        return [Finding("onnxruntime", Status.OK, f"{text}; runs on CUDA")]
    package = f"onnxruntime-gpu[cuda,cudnn]=={ort.__version__}"
    advice = f"install the CUDA and cuDNN that it was built for with: {install_command(package)}"
    return [Finding("onnxruntime", Status.WARNING, f"{text}; runs on the CPU: {cuda_reason(done.stderr)}", advice)]


def cuda_reason(messages: str) -> str:
    """Pick the reason out of what onnxruntime printed when CUDA did not bind."""
    plain = re.sub(r"\x1b\[[0-9;]*m", "", messages)
    library = re.search(r"(\S+\.(?:so|dll)[\w.]*): cannot open shared object file", plain)
    if library:
        return f"the library {library[1]} is missing"
    missing = re.search(r'which depends on "([^"]+)" which is missing', plain)
    if missing:
        return f"the library {missing[1]} is missing"
    requirement = re.search(r"(Require cuDNN [^.]*\.)", plain)
    if requirement:
        return requirement[1].rstrip(".").lower()
    errors = [line for line in plain.splitlines() if "rror" in line]
    return errors[-1].strip()[:200] if errors else "onnxruntime gives no reason"


def check_fastest(settings: EngineSettings) -> list[Finding]:
    """Which engines the CPU, and the graphics card if there is one, could run, and which was fastest when measured."""
    card, threads = read_card(settings.weights), default_threads() if settings.threads is None else settings.threads
    names, place = candidates(), f"on the CPU with {threads} thread{'s' * (threads > 1)}"
    if len(names) == 1:
        text = "onnxruntime is the only one installed for the CPU; pip install openvino adds one"
    else:
        text = _choice_text(names, place, remembered(Place(card, threads)))
    findings = [Finding(FASTEST, Status.OK, text)]
    cuda = cuda_candidates(has_graphs(settings.weights))
    if cuda is not None:
        choice = remembered(Place(card, threads, cuda))
        findings.append(Finding(FASTEST, Status.OK, _choice_text(cuda.engines, f"on CUDA ({cuda.card})", choice)))
    return findings


def _choice_text(names: Sequence[str], place: str, choice: Choice | None) -> str:
    if len(names) == 1:
        return f"{names[0]} is the only one installed for running {place}"
    if choice is None:
        return f"{' and '.join(names)} are measured at the next start {place}"
    times = ", ".join(f"{name} {value:.1f} ms" for name, value in choice.milliseconds.items())
    return f"{choice.engine}, {place}" + (f" ({times} a crop and evaluation)" if times else "")


def check_torch() -> list[Finding]:
    """PyTorch's CUDA, or why there is none."""
    import torch

    text = f"torch {torch.__version__}"
    if torch.cuda.is_available():
        names = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
        try:
            torch.ones(8, device="cuda").sum().item()
        except RuntimeError as error:
            reason = str(error).splitlines()[0]
            advice = "update the NVIDIA driver or use --device cpu"
            return [Finding("torch", Status.WARNING, f"{text}; CUDA is there and fails: {reason}", advice)]
        return [Finding("torch", Status.OK, f"{text}; CUDA {torch.version.cuda} on {', '.join(names)}")]
    if not nvidia_driver_present():
        return [Finding("torch", Status.OK, f"{text}; CPU, because {NO_DRIVER}")]
    if torch.version.cuda is None:
        advice = (
            "delete .venv and start main.py again to get the CUDA build"
            if sys.platform == "linux"
            else "nothing for the window, which runs onnxruntime on the card; to train on it, install the CUDA build "
            "of https://pytorch.org/get-started/locally into .venv"
        )
        return [
            Finding(
                "torch", Status.WARNING, f"{text}; a build without CUDA on a computer with an NVIDIA driver", advice
            )
        ]
    advice = f"update the NVIDIA driver to one for CUDA {torch.version.cuda}"
    return [
        Finding(
            "torch", Status.WARNING, f"{text}; built for CUDA {torch.version.cuda}, which the driver refuses", advice
        )
    ]
