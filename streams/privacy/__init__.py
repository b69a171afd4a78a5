"""What is held of one student, for whoever asks for it, or wants it gone."""

from streams.privacy.dossier import Dossier

__all__ = ["Dossier"]
