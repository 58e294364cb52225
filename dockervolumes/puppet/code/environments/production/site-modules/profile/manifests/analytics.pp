# @summary OpenSDN's collector, query engine, analytics API and alarm generator, with the Redis that they share.
#
# @param hostname Name that the collector is found by: the one that its address resolves to.
# @param kafka_brokers Kafka's brokers, `address:port`.
# @param redis_password What the programs log in to Redis with.
class profile::analytics (
  Stdlib::Fqdn $hostname,
  Array[String[1], 1] $kafka_brokers,
  Sensitive[Pattern[/\A[[:alnum:]]+\z/]] $redis_password,
) {
  include profile::config::common

  $address = $profile::config::common::address
  $cassandra_servers = $profile::config::common::cassandra_servers
  $collectors = $profile::config::common::collectors
  $api_servers = $profile::config::common::api_servers
  $login = $profile::config::common::cassandra_login
  $partitions = 30
  # The collector and what of a query is in it look on the loopback, whatever they are told; the others at the address, by whose name
  # they know which collector it is beside.
  $redis = "${address}:6379"

  profile::config::redis { 'of analytics':
    addresses => ['127.0.0.1', $address],
    password  => $redis_password,
  }

  profile::config::settings {
    '/etc/contrail/contrail-collector.conf':
      program  => 'contrail-collector',
      sections => {
        'DEFAULT'    => {
          'hostip'                => $address,
          'hostname'              => $hostname,
          'http_server_port'      => 8089,
          'cassandra_server_list' => $cassandra_servers,
          'zookeeper_server_list' => $profile::config::common::zookeeper_servers.join(','),
          'partitions'            => $partitions,
        },
        'COLLECTOR'  => { 'port' => 8086, 'server' => $address },
        'API_SERVER' => { 'api_server_list' => $api_servers },
        'REDIS'      => { 'port' => 6379, 'password' => $redis_password },
        'KAFKA'      => { 'kafka_broker_list' => $kafka_brokers },
        'CASSANDRA'  => $login,
        'CONFIGDB'   => $profile::config::common::config_database,
      };
    '/etc/contrail/contrail-query-engine.conf':
      program  => 'contrail-query-engine',
      sections => {
        'DEFAULT'   => {
          'hostip'                => $address,
          'hostname'              => $hostname,
          'http_server_port'      => 8091,
          'collectors'            => $collectors,
          'cassandra_server_list' => $cassandra_servers,
        },
        'CASSANDRA' => $login,
        'REDIS'     => { 'server_list' => $redis, 'password' => $redis_password },
      };
    '/etc/contrail/contrail-analytics-api.conf':
      program  => 'contrail-analytics-api',
      sections => {
        'DEFAULTS' => {
          'host_ip'          => $address,
          'http_server_port' => 8090,
          'rest_api_ip'      => $address,
          'rest_api_port'    => 8081,
          'partitions'       => $partitions,
          'aaa_mode'         => 'rbac',
          'collectors'       => $collectors,
          'api_server'       => $api_servers,
          'zk_list'          => $profile::config::common::zookeeper_servers,
        },
        'REDIS'    => { 'redis_query_port' => 6379, 'redis_uve_list' => $redis, 'redis_password' => $redis_password },
      };
    '/etc/contrail/contrail-alarm-gen.conf':
      program  => 'contrail-alarm-gen',
      sections => {
        'DEFAULTS'   => {
          'host_ip'          => $address,
          'http_server_port' => 5995,
          'partitions'       => $partitions,
          'collectors'       => $collectors,
          'zk_list'          => $profile::config::common::zookeeper_servers,
        },
        'API_SERVER' => { 'api_server_list' => $api_servers },
        'REDIS'      => { 'redis_server_port' => 6379, 'redis_uve_list' => $redis, 'redis_password' => $redis_password },
        'KAFKA'      => { 'kafka_broker_list' => $kafka_brokers },
        'CONFIGDB'   => $profile::config::common::config_database + {
          'cassandra_driver'     => 'cql',
          # This one in Python separates them by commas, unlike the compiled programs.
          'rabbitmq_server_list' => $profile::config::common::rabbit_servers.join(','),
        },
      };
  }

  $keystone = [Profile::Config::Settings['/etc/contrail/contrail-keystone-auth.conf'], Class['dockstack::tls']]
  ['contrail-collector', 'contrail-query-engine', 'contrail-analytics-api', 'contrail-alarm-gen'].each |$program| {
    service { $program:
      ensure    => running,
      enable    => true,
      subscribe => [Profile::Config::Settings["/etc/contrail/${program}.conf"]] + $keystone,
      require   => Profile::Config::Redis['of analytics'],
    }
  }
}
