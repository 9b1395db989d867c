"""The only place that names real parts: settings in, working parts out.

`registries` reads what a person named and opens clients, `databases` the database,
`one_image` weighs or checks an image, `engine` is a process that crawls, `distributed`
are the parts of several, `commands` is what the other commands do.
Nothing is imported here: a weighing needs no database, and starts quickly for it.
"""
