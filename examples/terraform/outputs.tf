output "address" {
  description = "Floating address of the guest"
  value       = openstack_networking_floatingip_v2.guest.address
}
