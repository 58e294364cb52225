"""What a container goes through on its way from an image to a healthy service, a stage a module."""
