"""Paths of the program's own files. Standard library only: the setup imports it before any package is installed."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
"""The folder of main.py."""
REQUIREMENTS = ROOT / "requirements.txt"

WEIGHTS = ROOT / "weights"
DEFAULT_WEIGHTS = WEIGHTS / "ldeq-s.safetensors"
TEACHER_WEIGHTS = WEIGHTS / "ldeq-s-mesh.safetensors"
"""Slower than the default, and not better; the teacher of ``ldeq-s-light``."""
SMALL_WEIGHTS = WEIGHTS / "ldeq-xs.safetensors"
SHORT_RANGE_DETECTOR = WEIGHTS / "face_detection_short_range.tflite"
FULL_RANGE_DETECTOR = WEIGHTS / "face_detection_full_range_sparse.tflite"
FACE_MESH = WEIGHTS / "face_landmark.tflite"

ASSETS = ROOT / "app" / "assets"
PORTRAIT = ASSETS / "portrait.jpg"
DEMO_CLIP = ASSETS / "demo.mp4"
DEMO_MOTION = ASSETS / "demo_motion.npz"
CANONICAL_FACE = ASSETS / "canonical_face.csv"
