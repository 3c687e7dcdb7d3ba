"""The mesh: one folder a server, one runtime that all of them share."""
