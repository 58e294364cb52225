# @summary Neutron's agent for the Open vSwitch of this container, and what all of Neutron's programs read.
#
# The bridges br-phy and br-ex and their ports are kept by the program network-links.
#
# @param rabbit_hosts Host names of the message brokers.
# @param rabbit_password Password of the RabbitMQ user openstack.
# @param tunnel_address Address of the tunnels' end, on br-phy.
# @param mtu What the lab's bridge carries.
# @param bridge_mappings Bridge by physical network.
# @param dns_domain Domain of the names that ports get.
# @param longest_wait
#   How many seconds an agent waits for an answer at most. Usually that doubles with each answer that is lost, up to ten minutes, for as
#   long as the agent runs; here answers are lost with the broker, and the next one comes as soon as ever.
class profile::neutron::agent (
  Array[Stdlib::Fqdn, 1] $rabbit_hosts,
  Sensitive[String[1]] $rabbit_password,
  Stdlib::IP::Address::V4::Nosubnet $tunnel_address,
  Integer[576] $mtu,
  Hash[String[1], String[1]] $bridge_mappings,
  Stdlib::Fqdn $dns_domain,
  Integer[1] $longest_wait = 60,
) {
  class { 'neutron::logging':
    log_dir    => $facts['os_service_default'],
    use_stderr => true,
  }
  class { 'neutron':
    core_plugin           => 'ml2',
    service_plugins       => ['router', 'qos', 'trunk'],
    dns_domain            => $dns_domain,
    global_physnet_mtu    => $mtu,
    default_transport_url => dockstack::transport_url($rabbit_hosts, $rabbit_password),
    *                     => dockstack::messaging($rabbit_hosts),
  }
  if $rabbit_hosts.length > 1 {
    # The class has no parameter for it.
    Neutron_config <| title == 'oslo_messaging_rabbit/use_queue_manager' |> { value => true }
  }

  class { 'neutron::agents::ml2::ovs':
    bridge_mappings => $bridge_mappings,
    extensions      => ['qos'],
    tunnel_types    => ['vxlan'],
    local_ip        => $tunnel_address,
    firewall_driver => 'openvswitch',
    datapath_type   => $facts['openvswitch_datapath'],
    manage_vswitch  => false,
  }
  # Limits of bandwidth are the switch's own meters. The usual ones are the kernel's policing, which a switch in user
  # space takes its packets past.
  neutron_agent_ovs { 'ovs/qos_meter_bandwidth':
    value => true,
  }
}
