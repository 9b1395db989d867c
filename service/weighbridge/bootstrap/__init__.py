"""The only place that names real parts: settings in, working parts out.

`targets` reads what a person named, `clients` and `databases` open the edges,
`weighing` and `crawling` run one use case, `embedded` is everything in one process.
Nothing is imported here: a weighing needs no database, and starts quickly for it.
"""
