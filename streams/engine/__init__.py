"""Faust made batch-wise; knows nothing of grades."""
