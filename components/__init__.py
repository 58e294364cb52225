"""The Pulumi program: a lab of containers, wired by Open vSwitch and provisioned by Puppet."""
