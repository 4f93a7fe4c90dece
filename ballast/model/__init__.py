"""The exact integer model of the clearing side: what the contracts must do, to the wei."""

from ballast.model.refusal import Refused

__all__ = ["Refused"]
