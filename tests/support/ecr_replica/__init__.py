"""A strict Amazon ECR on loopback: it refuses what the real one would refuse.

state       who may ask for what, what was asked, and what goes wrong
signatures  checks AWS Signature Version 4 with botocore's signer
model       holds questions and answers against AWS's service model
api         the actions of the API, by the service model of 2015-09-21
registry    `/v2` for the password of the API, and the storage that it redirects to
serving     the three on ports of their own, for the length of a block
public      public.ecr.aws, for who has no account and for who has one
public_api  the API of who has one, by the service model of 2020-10-30
configured  a configuration that crawls it
"""
