"""Makes the program's own Python environment; standard library only, and imported before anything else."""
