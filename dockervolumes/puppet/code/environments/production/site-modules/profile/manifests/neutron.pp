# @summary Neutron: its API, its workers, and the agents for routers, DHCP and metadata; the API alone, where networks are OpenSDN's.
#
# @param vip_name Host name of the virtual address, where the other services are.
# @param keystone_url Identity API.
# @param region Region of the endpoints.
# @param memcached_servers Caches, `host:port`.
# @param database_host Host name of the database.
# @param database_password Password of the database user neutron.
# @param identity_password Password of Neutron's own user.
# @param networking What makes the networks: Neutron's own agents by Open vSwitch, or OpenSDN.
# @param metadata_secret What Neutron's proxy signs a guest's identity with for Nova; needed by its own agents, as the next two.
# @param tenant_networks What carries the networks that tenants make; an administrator's may be of either kind.
# @param mtu What the lab's bridge carries.
# @param nova_password Password of the user that tells Nova of changed ports; undef without a Nova.
# @param redundant
#   Whether there are several members: routers that are made from now on are ready on up to three of them, of which one routes, and
#   networks have DHCP on two.
# @param vlans First and last VLAN of the physical network `tenant`, which is the lab's bridge.
# @param processes Processes of the API.
# @param threads Threads of each process.
class profile::neutron (
  Stdlib::Fqdn $vip_name,
  Stdlib::HTTPUrl $keystone_url,
  String[1] $region,
  Array[String[1]] $memcached_servers,
  Stdlib::Fqdn $database_host,
  Sensitive[String[1]] $database_password,
  Sensitive[String[1]] $identity_password,
  Enum['ovs', 'opensdn'] $networking = 'ovs',
  Optional[Sensitive[String[1]]] $metadata_secret = undef,
  Optional[Enum['vxlan', 'vlan']] $tenant_networks = undef,
  Optional[Integer[576]] $mtu = undef,
  Optional[Sensitive[String[1]]] $nova_password = undef,
  Boolean $redundant = false,
  Pattern[/\A\d+:\d+\z/] $vlans = '1000:1999',
  Integer[1] $processes = 1,
  Integer[1] $threads = 4,
) {
  include dockstack::tls
  Class['dockstack::tls'] ~> Anchor['neutron::service::begin']

  if $networking == 'opensdn' {
    contain profile::neutron::opensdn
    $brokers = $profile::neutron::opensdn::rabbit_hosts
    $plugin = $profile::neutron::opensdn::settings
    # These are there for agents.
    $server = { 'rpc_service_name' => false, 'periodic_workers_service_name' => false }
  } else {
    include profile::neutron::agent
    $brokers = $profile::neutron::agent::rabbit_hosts
    $plugin = '/etc/neutron/plugins/ml2/ml2_conf.ini'
    $server = {
      'rpc_workers'              => 1,
      'rpc_state_report_workers' => 0,
      # As Nova's service_down_time, with reports every 30 s.
      'agent_down_time'          => 150,
      'l3_ha'                    => $redundant ? { true => true, default => $facts['os_service_default'] },
      'rpc_response_max_timeout' => $profile::neutron::agent::longest_wait,
    }
  }

  dockstack::database { 'neutron':
    password => $database_password,
    group    => 'neutron',
  }
  class { 'neutron::db':
    database_connection              => dockstack::database_url('neutron', $database_host),
    database_connection_recycle_time => 600,
  }
  class { 'neutron::keystone::authtoken':
    auth_url                     => $keystone_url,
    www_authenticate_uri         => $keystone_url,
    cafile                       => $dockstack::tls::authority,
    password                     => dockstack::quote::oslo_config($identity_password),
    memcached_servers            => $memcached_servers,
    region_name                  => $region,
    service_token_roles_required => true,
  }
  class { 'neutron::server':
    # The exec below does it, whenever the database turns out to need it.
    sync_db                      => false,
    service_name                 => false,
    api_workers                  => 1,
    enable_proxy_headers_parsing => true,
    *                            => $server,
  }
  if $nova_password {
    class { 'neutron::server::notifications::nova':
      auth_url    => $keystone_url,
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
  unless $networking == 'opensdn' {
    include profile::neutron::ml2
  }
  class { 'neutron::wsgi::uwsgi':
    processes => $processes,
    threads   => $threads,
  }
  create_resources(neutron_api_uwsgi_config, dockstack::uwsgi_settings(9696) + dockstack::process_name('neutron-api', $brokers))

  $files = "--config-file /etc/neutron/neutron.conf --config-file ${plugin}"
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
