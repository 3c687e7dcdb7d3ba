"""A jail for programs that nobody vouches for: namespaces, a read-only root, an allow-list of
system calls, limits.

`command` says what a jail is and builds its command line, `syscalls` the allow-list, `programs`
finds what is run in it, `starting` starts it and ends it with everything in it; `relay` is the one
way from it to public addresses, for those that are given it. It holds on Linux
with user namespaces and seccomp, as root and as an ordinary user."""
