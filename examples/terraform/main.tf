# A guest in a network of its own behind a router, with a floating address and a volume. All of the login, and the authority of
# the lab's certificates, come from the lab's clouds.yaml:
#     export OS_CLIENT_CONFIG_FILE=$(pulumi stack output clouds)

terraform {
  required_version = ">= 1.5"
  required_providers {
    openstack = {
      source  = "terraform-provider-openstack/openstack"
      version = "3.4.0"
    }
  }
}

provider "openstack" {
  cloud = var.cloud
}

data "openstack_networking_network_v2" "outside" {
  name     = var.outside
  external = true
}

data "openstack_images_image_v2" "guest" {
  name        = var.image
  most_recent = true
}

resource "openstack_networking_network_v2" "inside" {
  name = var.name
}

resource "openstack_networking_subnet_v2" "inside" {
  name       = var.name
  network_id = openstack_networking_network_v2.inside.id
  cidr       = var.cidr
}

resource "openstack_networking_router_v2" "way_out" {
  name                = var.name
  external_network_id = data.openstack_networking_network_v2.outside.id
}

resource "openstack_networking_router_interface_v2" "inside" {
  router_id = openstack_networking_router_v2.way_out.id
  subnet_id = openstack_networking_subnet_v2.inside.id
}

resource "openstack_networking_secgroup_v2" "guest" {
  name        = var.name
  description = "Ping and SSH from everywhere"
}

resource "openstack_networking_secgroup_rule_v2" "ping" {
  security_group_id = openstack_networking_secgroup_v2.guest.id
  direction         = "ingress"
  ethertype         = "IPv4"
  protocol          = "icmp"
}

resource "openstack_networking_secgroup_rule_v2" "ssh" {
  security_group_id = openstack_networking_secgroup_v2.guest.id
  direction         = "ingress"
  ethertype         = "IPv4"
  protocol          = "tcp"
  port_range_min    = 22
  port_range_max    = 22
}

resource "openstack_compute_keypair_v2" "guest" {
  name       = var.name
  public_key = trimspace(file(pathexpand(var.public_key)))
}

resource "openstack_networking_port_v2" "guest" {
  name               = var.name
  network_id         = openstack_networking_network_v2.inside.id
  security_group_ids = [openstack_networking_secgroup_v2.guest.id]

  fixed_ip {
    subnet_id = openstack_networking_subnet_v2.inside.id
  }
}

resource "openstack_compute_instance_v2" "guest" {
  name        = var.name
  image_id    = data.openstack_images_image_v2.guest.id
  flavor_name = var.flavor
  key_pair    = openstack_compute_keypair_v2.guest.name

  network {
    port = openstack_networking_port_v2.guest.id
  }
}

resource "openstack_networking_floatingip_v2" "guest" {
  pool    = data.openstack_networking_network_v2.outside.name
  port_id = openstack_networking_port_v2.guest.id

  # An address is given to a port that a router reaches.
  depends_on = [openstack_networking_router_interface_v2.inside]
}

resource "openstack_blockstorage_volume_v3" "data" {
  name = var.name
  size = 1
}

resource "openstack_compute_volume_attach_v2" "data" {
  instance_id = openstack_compute_instance_v2.guest.id
  volume_id   = openstack_blockstorage_volume_v3.data.id
}
