"""What holds for every test."""

from hypothesis import settings

# A loaded machine is slow now and then; how long an example takes is no property.
settings.register_profile("weighbridge", deadline=None)
settings.load_profile("weighbridge")
