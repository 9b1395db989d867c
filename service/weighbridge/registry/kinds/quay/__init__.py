"""Quay: quay.io, Red Hat Quay and Project Quay."""
