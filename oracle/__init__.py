"""The judge: fuzzes NumPy layers against torch.autograd and says where, by how much and why they diverge."""
