"""What people call by `make`, beside Pulumi: each module is a command."""
