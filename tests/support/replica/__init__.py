"""Replica registries for long tests and benchmarks, and what judges their totals.

dataset      the recorded images of the shared data set, as a registry's content
million      a fleet of a million tags, made while it is asked for
brute_force  every total of any content, by sets and dicts
process      starts `serve` in a process of its own and speaks to it
"""
