"""Why a fact is not in a profile."""

from __future__ import annotations

from envsnap.sections import Reason, Unknown

NO_ENVIRONMENT = Unknown(Reason.NOT_RECORDED, "a profile is a machine without an environment")
"""What stands in a profile for the sections about an environment."""

VARIES = Unknown(Reason.NOT_RECORDED, "not the same on all machines of this profile")
"""What stands there for what its machines do not have in common."""
