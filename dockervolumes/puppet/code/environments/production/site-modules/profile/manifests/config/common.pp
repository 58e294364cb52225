# @summary What OpenSDN's programs of several roles read: who they are for Keystone, and where the config API is.
#
# @param address Address of the container.
# @param vip_name Host name of the virtual address.
# @param keystone_url Identity API.
# @param region Region of the endpoints.
# @param cassandra_servers Where CQL is spoken, `address:port`.
# @param zookeeper_servers ZooKeeper's servers, `address:port`.
# @param rabbit_servers Message brokers, `address:port`.
# @param collectors What the programs report to, `address:port`; without any, they report to nobody.
# @param api_servers The config API's own servers, `address:port`.
# @param identity_password Password of the Keystone user opensdn.
# @param rabbit_password Password of the RabbitMQ user opensdn.
# @param cassandra_password Password of Cassandra's role opensdn.
class profile::config::common (
  Stdlib::IP::Address::V4::Nosubnet $address,
  Stdlib::Fqdn $vip_name,
  Stdlib::HTTPUrl $keystone_url,
  String[1] $region,
  Array[String[1], 1] $cassandra_servers,
  Array[String[1], 1] $zookeeper_servers,
  Array[String[1], 1] $rabbit_servers,
  Array[String[1]] $collectors,
  Array[String[1], 1] $api_servers,
  Sensitive[Pattern[/\A[[:alnum:]]+\z/]] $identity_password,
  Sensitive[Pattern[/\A[[:alnum:]]+\z/]] $rabbit_password,
  Sensitive[Pattern[/\A[[:alnum:]]+\z/]] $cassandra_password,
) {
  include dockstack::tls

  $cassandra_login = { 'cassandra_user' => 'opensdn', 'cassandra_password' => $cassandra_password }
  # As the section DEFAULTS of the programs in Python has it, apart from what they listen on.
  $backends = {
    'cassandra_server_list' => $cassandra_servers,
    'zk_server_ip'          => $zookeeper_servers.join(','),
    'rabbit_server'         => $rabbit_servers.join(','),
    'rabbit_vhost'          => '/',
    'rabbit_user'           => 'opensdn',
    'rabbit_password'       => $rabbit_password,
    'collectors'            => $collectors,
  }
  # As the section CONFIGDB of those that read the configuration from the database has it.
  $config_database = {
    'config_db_server_list' => $cassandra_servers,
    'config_db_username'    => 'opensdn',
    'config_db_password'    => $cassandra_password,
    'rabbitmq_server_list'  => $rabbit_servers,
    'rabbitmq_user'         => 'opensdn',
    'rabbitmq_password'     => $rabbit_password,
    'rabbitmq_vhost'        => '/',
  }

  profile::config::settings {
    '/etc/contrail/contrail-keystone-auth.conf':
      program  => 'keystone',
      sections => {
        'KEYSTONE' => {
          'auth_host'           => $vip_name,
          'auth_port'           => 5000,
          'auth_protocol'       => $dockstack::tls::scheme,
          'auth_url'            => $keystone_url,
          'auth_type'           => 'password',
          'admin_user'          => 'opensdn',
          'admin_password'      => $identity_password,
          'admin_tenant_name'   => 'services',
          'user_domain_name'    => 'Default',
          'project_domain_name' => 'Default',
          'region_name'         => $region,
          'interface'           => 'public',
          'cafile'              => $dockstack::tls::cacert,
        },
      };
    # Straight to the API's servers: at the VIP it may speak TLS.
    '/etc/contrail/vnc_api_lib.ini':
      program  => 'vnc_api_lib',
      sections => {
        'global' => {
          'WEB_SERVER' => $api_servers[0].split(':')[0],
          'WEB_PORT'   => $api_servers[0].split(':')[1],
          'BASE_URL'   => '/',
        },
        'auth'   => {
          'AUTHN_TYPE'     => 'keystone',
          'AUTHN_PROTOCOL' => $dockstack::tls::scheme,
          'AUTHN_SERVER'   => $vip_name,
          'AUTHN_PORT'     => 5000,
          'AUTHN_URL'      => '/v3/auth/tokens',
          'cafile'         => $dockstack::tls::cacert,
        },
      };
  }
}
