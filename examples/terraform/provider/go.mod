// Pins the provider that prepare/terraform builds; main.tf asks for the same version.
module dockstack/examples/terraform/provider

go 1.24.0

require github.com/terraform-provider-openstack/terraform-provider-openstack/v3 v3.4.0
