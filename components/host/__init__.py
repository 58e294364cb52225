"""What a container host has: its engine and our tool, images, bridges, and the keeper."""
