"""Reading: home and what else is composed of several packages; the live sockets."""
