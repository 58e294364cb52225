# @summary Neutron's own networks, by Open vSwitch: the plugin of the API, and the agents for routers, DHCP and metadata.
#
# What it goes by are parameters of profile::neutron, which includes it.
class profile::neutron::ml2 {
  class { 'neutron::plugins::ml2':
    type_drivers         => ['flat', 'vlan', 'vxlan'],
    tenant_network_types => [$profile::neutron::tenant_networks],
    mechanism_drivers    => ['openvswitch'],
    extension_drivers    => ['port_security', 'qos', 'dns_domain_ports'],
    flat_networks        => ['provider'],
    network_vlan_ranges  => ["tenant:${profile::neutron::vlans}"],
    vni_ranges           => ['1:65535'],
    path_mtu             => $profile::neutron::mtu,
  }
  if $profile::neutron::redundant {
    # The class is the agents' as well, which have nothing to do with it.
    Neutron_config <| title == 'DEFAULT/dhcp_agents_per_network' |> { value => 2 }
  }

  # With an extension that the kernel has no part for, the agent would fail at each router with a policy.
  $router_extensions = $facts['dockstack_police'] ? {
    true    => ['fip_qos', 'gateway_ip_qos'],
    default => $facts['os_service_default'],
  }
  class { 'neutron::agents::l3':
    extensions => $router_extensions,
  }
  class { 'neutron::agents::dhcp':
    enable_isolated_metadata => true,
  }
  # An interface of the switch's own that was moved into a namespace is dead once the switch has been started again. One end of a pair
  # stays alive. Knowing the datapath, the agents turn off what it can't do.
  neutron_config { 'ovs/datapath_type':
    value => $facts['openvswitch_datapath'],
  }
  # Debian's file for the agent of routers says the contrary, so that it has to be in the agents' own files.
  neutron_l3_agent_config { 'DEFAULT/ovs_use_veth':
    value => true,
  }
  neutron_dhcp_agent_config { 'DEFAULT/ovs_use_veth':
    value => true,
  }
  class { 'neutron::agents::metadata':
    shared_secret     => dockstack::quote::oslo_config($profile::neutron::metadata_secret),
    metadata_host     => $profile::neutron::vip_name,
    metadata_protocol => $dockstack::tls::scheme,
    auth_ca_cert      => $dockstack::tls::authority,
    metadata_workers  => 0,
  }
}
