# @summary Neutron: its API, its workers, and the agents for routers, DHCP and metadata.
#
# @param vip_name Host name of the virtual address, where the other services are.
# @param region Region of the endpoints.
# @param memcached_servers Caches, `host:port`.
# @param database_host Host name of the database.
# @param database_password Password of the database user neutron.
# @param identity_password Password of Neutron's own user.
# @param metadata_secret What Neutron's proxy signs a guest's identity with for Nova.
# @param nova_password Password of the user that tells Nova of changed ports; undef without a Nova.
# @param tenant_networks What carries the networks that tenants make; an administrator's may be of either kind.
# @param mtu What the lab's bridge carries.
# @param redundant
#   Whether there are several members: routers that are made from now on are ready on up to three of them, of which one routes, and
#   networks have DHCP on two.
# @param vlans First and last VLAN of the physical network `tenant`, which is the lab's bridge.
# @param processes Processes of the API.
# @param threads Threads of each process.
class profile::neutron (
  Stdlib::Fqdn $vip_name,
  String[1] $region,
  Array[String[1]] $memcached_servers,
  Stdlib::Fqdn $database_host,
  Sensitive[String[1]] $database_password,
  Sensitive[String[1]] $identity_password,
  Sensitive[String[1]] $metadata_secret,
  Enum['vxlan', 'vlan'] $tenant_networks,
  Integer[576] $mtu,
  Optional[Sensitive[String[1]]] $nova_password = undef,
  Boolean $redundant = false,
  Pattern[/\A\d+:\d+\z/] $vlans = '1000:1999',
  Integer[1] $processes = 1,
  Integer[1] $threads = 4,
) {
  include dockstack::tls
  Class['dockstack::tls'] ~> Anchor['neutron::service::begin']

  $keystone = "${dockstack::tls::scheme}://${vip_name}:5000/v3"

  include profile::neutron::agent
  $brokers = $profile::neutron::agent::rabbit_hosts

  dockstack::database { 'neutron':
    password => $database_password,
    group    => 'neutron',
  }
  class { 'neutron::db':
    database_connection              => dockstack::database_url('neutron', $database_host),
    database_connection_recycle_time => 600,
  }
  class { 'neutron::keystone::authtoken':
    auth_url                     => $keystone,
    www_authenticate_uri         => $keystone,
    cafile                       => $dockstack::tls::authority,
    password                     => dockstack::quote::oslo_config($identity_password),
    memcached_servers            => $memcached_servers,
    region_name                  => $region,
    service_token_roles_required => true,
  }
  $l3_ha = $redundant ? {
    true    => true,
    default => $facts['os_service_default'],
  }
  class { 'neutron::server':
    # The exec below does it, whenever the database turns out to need it.
    sync_db                      => false,
    service_name                 => false,
    api_workers                  => 1,
    rpc_workers                  => 1,
    rpc_state_report_workers     => 0,
    enable_proxy_headers_parsing => true,
    # As Nova's service_down_time, with reports every 30 s.
    agent_down_time              => 150,
    l3_ha                        => $l3_ha,
    rpc_response_max_timeout     => $profile::neutron::agent::longest_wait,
  }
  if $redundant {
    # The class is the agents' as well, which have nothing to do with it.
    Neutron_config <| title == 'DEFAULT/dhcp_agents_per_network' |> { value => 2 }
  }
  if $nova_password {
    class { 'neutron::server::notifications::nova':
      auth_url    => $keystone,
      password    => dockstack::quote::oslo_config($nova_password),
      region_name => $region,
    }
    # The class has no parameter for it.
    neutron_config { 'nova/cafile':
      value => $dockstack::tls::authority,
    }
  } else {
    neutron_config {
      'DEFAULT/notify_nova_on_port_status_changes': value => false;
      'DEFAULT/notify_nova_on_port_data_changes':   value => false;
      # Debian's, without anything to log in with: no network could be deleted.
      'nova/auth_type':                             ensure => absent;
    }
  }
  class { 'neutron::plugins::ml2':
    type_drivers         => ['flat', 'vlan', 'vxlan'],
    tenant_network_types => [$tenant_networks],
    mechanism_drivers    => ['openvswitch'],
    extension_drivers    => ['port_security', 'qos', 'dns_domain_ports'],
    flat_networks        => ['provider'],
    network_vlan_ranges  => ["tenant:${vlans}"],
    vni_ranges           => ['1:65535'],
    path_mtu             => $mtu,
  }
  class { 'neutron::wsgi::uwsgi':
    processes => $processes,
    threads   => $threads,
  }
  create_resources(neutron_api_uwsgi_config, dockstack::uwsgi_settings(9696) + dockstack::process_name('neutron-api', $brokers))

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
    shared_secret     => dockstack::quote::oslo_config($metadata_secret),
    metadata_host     => $vip_name,
    metadata_protocol => $dockstack::tls::scheme,
    auth_ca_cert      => $dockstack::tls::authority,
    metadata_workers  => 0,
  }

  $files = '--config-file /etc/neutron/neutron.conf --config-file /etc/neutron/plugins/ml2/ml2_conf.ini'
  exec { 'neutron database':
    command   => "/usr/bin/neutron-db-manage ${files} upgrade heads",
    unless    => '/etc/dockstack/bin/neutron-database-current',
    user      => 'neutron',
    logoutput => on_failure,
    timeout   => 300,
    require   => Anchor['neutron::dbsync::begin'],
    before    => Anchor['neutron::dbsync::end'],
  }
}
