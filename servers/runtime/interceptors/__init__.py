"""The interceptors, as data: one ordered tuple for servers, one for clients. They are put together
in files of their own: a command that only calls needs nothing of what servers do."""
