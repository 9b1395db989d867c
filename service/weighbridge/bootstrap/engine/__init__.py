"""The engine of one process, put together out of real parts."""
