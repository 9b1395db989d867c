"""The only place that names real parts: settings in, working parts out.

`targets` reads what a person named, `clients` and `databases` open the edges,
`weighing`, `crawling` and `reading` run one use case each, `embedded` is everything
in one process, `distributed` are the parts of several.
Nothing is imported here: a weighing needs no database, and starts quickly for it.
"""
