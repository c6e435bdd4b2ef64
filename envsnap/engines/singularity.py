"""SingularityCE, where that is what a site has: builds a SIF file as a plain user."""

from __future__ import annotations

from envsnap.engines._sif_builder import SifBuilder


class Singularity(SifBuilder):
    """SingularityCE or -PRO, by its command; at some sites that is Apptainer by its old name."""

    name = "singularity"
