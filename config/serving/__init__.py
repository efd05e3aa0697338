"""What stands between a socket and the application, in every server that the product starts."""
