"""What only large memories need: postings, and kernels in NumPy and compiled."""
