"""What people and programs read: facts and findings, put into words."""

from __future__ import annotations
