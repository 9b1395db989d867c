"""The steps by which `rootfs` assembles the image's file system."""
