"""Engines that evaluate a model: torch, onnxruntime, OpenVINO."""
