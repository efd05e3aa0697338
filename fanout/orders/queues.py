"""The broker's queues, as workers are started with them."""

GRAPH, FANOUT, BULK, NOTICES = "graph", "fanout", "bulk", "notices"
"""Changes of the graph, which do not wait behind tweets; everything else; parts of large orders; whom to notify: no
tweet waits behind what many like."""
QUEUES = (GRAPH, FANOUT, NOTICES)
"""The queues of whole orders."""
