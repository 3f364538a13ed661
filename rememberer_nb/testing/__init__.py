"""Is a part right, and how fast is it?"""
