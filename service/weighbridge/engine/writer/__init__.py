"""The store calls of one process, made on threads of their own."""
