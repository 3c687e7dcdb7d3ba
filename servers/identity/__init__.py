"""Who people are: sign-in, sessions, keys, users and roles."""
