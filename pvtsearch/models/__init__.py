"""The networks in PyTorch. Nothing is imported here, so that naming the package costs no torch import."""
