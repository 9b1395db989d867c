"""The images of the demo registry, made up as documents."""
