"""Who stands on whose care team, and what follows from it: who may see and do what."""
