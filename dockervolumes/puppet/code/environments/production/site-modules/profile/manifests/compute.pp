# @summary A compute: nova-compute, libvirt and Neutron's agent, with the guests in the same container.
#
# Guests run on KVM where the container has a /dev/kvm that works, and are emulated where it hasn't.
#
# @param address Address that the guests' screens are served at, to the proxy.
# @param reserved_memory Memory in MiB that guests don't get.
class profile::compute (
  Stdlib::IP::Address::V4::Nosubnet $address,
  Integer[0] $reserved_memory = 512,
) {
  include profile::neutron::agent
  include profile::nova::common
  # Neutron's class for it is the server's.
  neutron_config { 'DEFAULT/rpc_response_max_timeout':
    value => $profile::neutron::agent::longest_wait,
  }
  # A lab without volumes says nothing of them.
  if lookup('profile::compute::volumes::backend', { 'default_value' => undef }) {
    include profile::compute::volumes
  }

  $virt_type = $facts['dockstack_kvm'] ? {
    true    => 'kvm',
    default => 'qemu',
  }

  class { 'nova::compute':
    vncserver_proxyclient_address    => $address,
    vncproxy_host                    => $profile::nova::common::vip_name,
    vncproxy_protocol                => $dockstack::tls::scheme,
    # Debian's vnc_auto.html is the page that waits for a click.
    vncproxy_path                    => '/vnc_lite.html',
    reserved_host_memory             => $reserved_memory,
    # A restart of the container ends the guests, which nobody has asked for.
    resume_guests_state_on_host_boot => true,
  }
  # What an emulated processor can do doesn't depend on the host's.
  $cpu_mode = $virt_type ? { 'kvm' => 'host-model', default => 'none' }
  class { 'nova::compute::libvirt':
    virt_type               => $virt_type,
    vncserver_listen        => $address,
    manage_libvirt_services => false,
    cpu_mode                => $cpu_mode,
  }
  # Debian has a package for each kind of guest, and they exclude each other; this one runs both.
  Package <| title == 'nova-compute-qemu' |> { name => 'nova-compute-kvm' }

  class { 'nova::compute::libvirt::services':
    modular_libvirt       => false,
    virtlock_service_name => false,
    manage_ovmf           => false,
  }
  libvirtd_config {
    # Who may write to the socket is decided by its group.
    'auth_unix_ro': value => 'none', quote => true;
    'auth_unix_rw': value => 'none', quote => true;
    # All containers of a machine read the same from its firmware.
    'host_uuid':    value => fqdn_uuid($trusted['certname']), quote => true;
  }
  # The container is the guests' confinement: it may make neither control groups nor namespaces.
  qemu_config {
    'cgroup_controllers': value => '[]';
    'namespaces':         value => '[]';
    'security_driver':    value => 'none', quote => true;
  }
  Qemu_config <||> ~> Service['libvirt']
}
