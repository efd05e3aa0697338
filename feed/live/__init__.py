"""The live sockets: one Redis subscription a process, a registry in memory, a queue a socket."""
