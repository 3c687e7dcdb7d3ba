"""Real stores, and the mesh itself, as child processes that never outlive `kari up`."""
