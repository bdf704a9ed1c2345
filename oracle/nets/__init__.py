"""Whole nets against torch: the gradient check, and training side by side. `twin`: torch's side of a net."""
