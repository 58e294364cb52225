// Pins the acceptance tests of `make gophercloud`, which come within the module.
module dockstack/tests/gophercloud

go 1.22

require github.com/gophercloud/gophercloud/v2 v2.8.0
