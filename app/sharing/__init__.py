"""Landmarks and pictures for other programs: UDP datagrams (JSON, OSC) and a virtual camera. Knows no Qt."""
