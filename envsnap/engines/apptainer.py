"""Apptainer: builds a SIF file as a plain user."""

from __future__ import annotations

from envsnap.engines._sif_builder import SifBuilder


class Apptainer(SifBuilder):
    """Apptainer, by its command."""

    name = "apptainer"
