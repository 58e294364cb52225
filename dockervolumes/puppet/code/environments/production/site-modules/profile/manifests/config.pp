# @summary OpenSDN's config API, with the schema transformer and the service monitor.
class profile::config {
  include profile::config::common

  $common = $profile::config::common::backends
  $cassandra = { 'cassandra_driver' => 'cql' } + $profile::config::common::cassandra_login
  $of_api = {
    'host_ip'         => $profile::config::common::address,
    'api_server_ip'   => $profile::config::common::address,
    'api_server_port' => 8082,
  }

  profile::config::settings {
    '/etc/contrail/contrail-api-0.conf':
      program  => 'contrail-api',
      sections => {
        'DEFAULTS'  => $common + {
          'listen_ip_addr'   => $profile::config::common::address,
          'listen_port'      => 8082,
          'http_server_port' => 8084,
          'admin_port'       => 8095,
          'auth'             => 'keystone',
          'aaa_mode'         => 'rbac',
          'cloud_admin_role' => 'admin',
        },
        'CASSANDRA' => $cassandra,
      };
    '/etc/contrail/contrail-schema.conf':
      program  => 'contrail-schema',
      sections => {
        'DEFAULTS'  => $common + $of_api + { 'http_server_port' => 8087 },
        'CASSANDRA' => $cassandra,
      };
    '/etc/contrail/contrail-svc-monitor.conf':
      program  => 'contrail-svc-monitor',
      sections => {
        'DEFAULTS'  => $common + $of_api + { 'http_server_port' => 8088 },
        'CASSANDRA' => $cassandra,
        'SCHEDULER' => { 'aaa_mode' => 'rbac' },
      };
  }

  $login = [Profile::Config::Settings['/etc/contrail/contrail-keystone-auth.conf'], Class['dockstack::tls']]
  service {
    default:
      ensure => running,
      enable => true;
    'contrail-api':
      subscribe => [Profile::Config::Settings['/etc/contrail/contrail-api-0.conf']] + $login;
    'contrail-schema':
      subscribe => [Profile::Config::Settings['/etc/contrail/contrail-schema.conf']] + $login;
    'contrail-svc-monitor':
      subscribe => [Profile::Config::Settings['/etc/contrail/contrail-svc-monitor.conf']] + $login;
  }
}
