"""What runs within the jail, with the standard library alone; `bundle` takes it there.

A worker is there before its program: it has imported what it needs, says so, and waits for a job.
"""
