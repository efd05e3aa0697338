"""The broker's queues, as workers are started with them."""

GRAPH, FANOUT, BULK = "graph", "fanout", "bulk"
"""Changes of the graph, which do not wait behind tweets; everything else; parts of large orders."""
QUEUES = (GRAPH, FANOUT)
"""The queues of whole orders."""
