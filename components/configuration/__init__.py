"""The configuration: what it may say, what it means, and whether it can be had on its hosts."""
