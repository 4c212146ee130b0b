"""One talk: the threads, sockets and clocks of the package live in this room and nowhere else."""
