# @summary A file of settings that OpenSDN's programs read: its title is the path.
#
# A key that the program doesn't know ends those in C++, and passes unseen in Python's: each has to be in the list here, which is made of
# what the programs themselves declare. The first end a value at a `#`, the others take a `%` for a reference.
#
# @param program Whose settings they are.
# @param sections Value by key, by section. A list's elements are separated by blanks; a key whose value is undefined, or an empty list,
#   is left out.
# @param group Group of those that may read it.
define profile::config::settings (
  String[1] $program,
  Hash[String[1], Hash[String[1], Variant[String, Integer, Array[String[1]], Sensitive[String[1]], Undef]]] $sections,
  String[1] $group = 'contrail',
) {
  $backends_of_python = [
    'cassandra_server_list', 'zk_server_ip', 'rabbit_server', 'rabbit_vhost', 'rabbit_user', 'rabbit_password', 'collectors',
  ]
  $config_database = ['config_db_server_list', 'config_db_username', 'config_db_password']
  $broker = ['rabbitmq_server_list', 'rabbitmq_user', 'rabbitmq_password', 'rabbitmq_vhost']
  $compiled = ['collectors', 'hostip', 'hostname', 'http_server_port', 'log_file', 'log_level']
  $known = {
    'contrail-api'           => {
      'DEFAULTS'  => $backends_of_python + [
        'listen_ip_addr', 'listen_port', 'http_server_port', 'admin_port', 'auth', 'aaa_mode', 'cloud_admin_role',
      ],
      'CASSANDRA' => ['cassandra_driver', 'cassandra_user', 'cassandra_password'],
    },
    'contrail-schema'        => {
      'DEFAULTS'  => $backends_of_python + ['host_ip', 'api_server_ip', 'api_server_port', 'http_server_port'],
      'CASSANDRA' => ['cassandra_driver', 'cassandra_user', 'cassandra_password'],
    },
    'contrail-svc-monitor'   => {
      'DEFAULTS'  => $backends_of_python + ['host_ip', 'api_server_ip', 'api_server_port', 'http_server_port'],
      'CASSANDRA' => ['cassandra_driver', 'cassandra_user', 'cassandra_password'],
      'SCHEDULER' => ['analytics_server_list', 'aaa_mode'],
    },
    'contrail-collector'     => {
      'DEFAULT'    => ['hostip', 'hostname', 'http_server_port', 'cassandra_server_list', 'zookeeper_server_list', 'partitions'],
      'COLLECTOR'  => ['port', 'server'],
      'API_SERVER' => ['api_server_list'],
      'REDIS'      => ['port', 'password'],
      'KAFKA'      => ['kafka_broker_list'],
      'CASSANDRA'  => ['cassandra_user', 'cassandra_password'],
      'CONFIGDB'   => $config_database + $broker,
    },
    'contrail-query-engine'  => {
      'DEFAULT'   => $compiled + ['cassandra_server_list'],
      'CASSANDRA' => ['cassandra_user', 'cassandra_password'],
      'REDIS'     => ['server_list', 'password'],
    },
    'contrail-analytics-api' => {
      'DEFAULTS' => [
        'host_ip', 'http_server_port', 'rest_api_port', 'rest_api_ip', 'partitions', 'aaa_mode', 'collectors', 'api_server', 'zk_list',
      ],
      'REDIS'    => ['redis_query_port', 'redis_uve_list', 'redis_password'],
    },
    'contrail-alarm-gen'     => {
      'DEFAULTS'   => ['host_ip', 'partitions', 'http_server_port', 'collectors', 'zk_list'],
      'API_SERVER' => ['api_server_list'],
      'REDIS'      => ['redis_server_port', 'redis_uve_list', 'redis_password'],
      'KAFKA'      => ['kafka_broker_list'],
      'CONFIGDB'   => $config_database + $broker + ['cassandra_driver'],
    },
    'contrail-control'       => {
      'DEFAULT'  => $compiled + ['bgp_port', 'xmpp_server_port'],
      'CONFIGDB' => $config_database + $broker,
    },
    'contrail-dns'           => {
      'DEFAULT'  => $compiled + [
        'named_config_directory', 'named_config_file', 'rndc_config_file', 'rndc_secret', 'dns_server_port',
      ],
      'CONFIGDB' => $config_database + $broker,
    },
    'keystone'               => {
      'KEYSTONE' => [
        'auth_host', 'auth_port', 'auth_protocol', 'auth_url', 'auth_type', 'admin_user', 'admin_password', 'admin_tenant_name',
        'user_domain_name', 'project_domain_name', 'region_name', 'interface', 'cafile',
      ],
    },
    'neutron-plugin'         => {
      'APISERVER' => ['api_server_ip', 'api_server_port', 'multi_tenancy', 'contrail_extensions'],
      'COLLECTOR' => ['analytics_api_ip', 'analytics_api_port'],
    },
    'vnc_api_lib'            => {
      'global' => ['WEB_SERVER', 'WEB_PORT', 'BASE_URL'],
      'auth'   => ['AUTHN_TYPE', 'AUTHN_SERVER', 'AUTHN_PORT', 'AUTHN_URL', 'AUTHN_PROTOCOL', 'cafile'],
    },
  }[$program]
  unless $known {
    fail("profile::config::settings knows no program ${program}")
  }

  $parts = $sections.map |$section, $settings| {
    $lines = $settings.map |$key, $value| {
      unless $key in $known.get($section, []) {
        fail("${program} has no setting ${key} in its section ${section}")
      }
      $text = $value ? {
        Undef     => '',
        Sensitive => $value.unwrap,
        Array     => $value.join(' '),
        default   => String($value),
      }
      if $text =~ /[#%\n]/ {
        fail("${program} can't read what ${key} is set to")
      }
      $text ? {
        ''      => '',
        default => "${key}=${text}\n",
      }
    }
    "[${section}]\n${lines.join}"
  }

  file { $title:
    ensure    => file,
    owner     => 'root',
    group     => $group,
    mode      => '0640',
    show_diff => false,
    content   => Sensitive($parts.join("\n")),
  }
}
