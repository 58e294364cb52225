# @summary OpenSDN's web console: web server and job server on Node, with a Redis for their sessions.
#
# @param address Address that it listens on.
# @param vip_name Host name of the virtual address, where it finds Keystone and both of OpenSDN's APIs.
# @param keystone_url Identity API.
# @param region Region of Keystone's catalogue.
# @param cassandra_servers Addresses of Cassandra's members.
# @param dns_servers Addresses of the control nodes, whose DNS servers it shows.
# @param identity_password Password of the Keystone user opensdn.
# @param redis_password What it logs in to Redis with.
class profile::webui (
  Stdlib::IP::Address::V4::Nosubnet $address,
  Stdlib::Fqdn $vip_name,
  Stdlib::HTTPUrl $keystone_url,
  String[1] $region,
  Array[Stdlib::IP::Address::V4::Nosubnet, 1] $cassandra_servers,
  Array[Stdlib::IP::Address::V4::Nosubnet] $dns_servers,
  Sensitive[Pattern[/\A[[:alnum:]]+\z/]] $identity_password,
  Sensitive[Pattern[/\A[[:alnum:]]+\z/]] $redis_password,
) {
  include dockstack::tls

  $tree = '/usr/src/contrail'
  $core = "${tree}/contrail-web-core"
  $certificates = '/etc/contrail/webui_ssl'
  # How each API at the virtual address is asked.
  $at_vip = {
    'authProtocol' => $dockstack::tls::scheme,
    'strictSSL'    => $dockstack::tls::enabled,
    'ca'           => pick_default($dockstack::tls::cacert, ''),
  }
  $unused = { 'ip' => $vip_name, 'apiVersion' => [] } + $at_vip
  $config = {
    'orchestration'                        => { 'Manager' => 'openstack' },
    'orchestrationModuleEndPointFromConfig' => false,
    'contrailEndPointFromConfig'           => true,
    'regionsFromConfig'                    => false,
    'endpoints'                            => { 'apiServiceType' => 'ApiServer', 'opServiceType' => 'OpServer' },
    'regions'                              => { $region => $keystone_url },
    'serviceEndPointTakePublicURL'         => true,
    'networkManager'                       => $unused + { 'port' => '9696' },
    'imageManager'                         => $unused + { 'port' => '9292' },
    'computeManager'                       => $unused + { 'port' => '8774' },
    'storageManager'                       => $unused + { 'port' => '8776' },
    'identityManager'                      => $at_vip + {
      'ip'            => $vip_name,
      'port'          => '5000',
      'apiVersion'    => ['v3'],
      # Without it, who leaves the field empty is refused.
      'defaultDomain' => 'Default',
    },
    'cnfg'                                 => $at_vip + {
      'server_ip'   => $vip_name,
      'server_port' => '8082',
      'statusURL'   => '/global-system-configs',
    },
    'analytics'                            => $at_vip + {
      'server_ip'   => $vip_name,
      'server_port' => '8081',
      'statusURL'   => '/analytics/uves/bgp-peers',
    },
    'dns'                                  => {
      'server_ip'   => $dns_servers,
      'server_port' => '8092',
      'statusURL'   => '/Snh_PageReq?x=AllEntries%20VdnsServersReq',
    },
    'introspect'                           => { 'ssl' => { 'enabled' => false, 'strictSSL' => false } },
    'jobServer'                            => { 'server_ip' => '127.0.0.1', 'server_port' => '3000' },
    'files'                                => { 'download_path' => '/tmp' },
    'cassandra'                            => { 'server_ips' => $cassandra_servers, 'server_port' => '9042', 'enable_edit' => false },
    'kue'                                  => { 'ui_port' => '3002' },
    'webui_addresses'                      => [$address],
    'insecure_access'                      => false,
    'http_port'                            => '8180',
    'https_port'                           => '8143',
    'require_auth'                         => false,
    'node_worker_count'                    => 1,
    'maxActiveJobs'                        => 10,
    'redisDBIndex'                         => 3,
    'CONTRAIL_SERVICE_RETRY_TIME'          => 300000,
    'redis_server_port'                    => '6379',
    'redis_server_ip'                      => '127.0.0.1',
    'redis_dump_file'                      => '/tmp/dump-webui.rdb',
    'redis_password'                       => $redis_password.unwrap,
    'logo_file'                            => '/opt/contrail/images/logo.png',
    'favicon_file'                         => '/opt/contrail/images/favicon.ico',
    'featurePkg'                           => {
      'webController' => { 'path' => "${tree}/contrail-web-controller", 'enable' => true },
    },
    'qe'                                   => { 'enable_stat_queries' => false },
    'logs'                                 => { 'level' => 'info' },
    'getDomainProjectsFromApiServer'       => false,
    'getDomainsFromApiServer'              => false,
    'network'                              => { 'L2_enable' => false },
    'jsonSchemaPath'                       => "${core}/src/serverroot/configJsonSchemas",
    # Upstream's own list makes everybody an administrator here.
    'roleMaps'                             => { 'cloudAdmin' => ['admin'], 'member' => ['*'] },
    'server_options'                       => {
      'key_file'  => "${certificates}/cs-key.pem",
      'cert_file' => "${certificates}/cs-cert.pem",
      'ciphers'   => 'ECDHE+AESGCM:ECDHE+CHACHA20',
    },
  }
  $login = Sensitive(epp('profile/webui-module.js.epp', {
    'name'  => 'auth',
    'value' => {
      'admin_user'          => 'opensdn',
      'admin_password'      => $identity_password.unwrap,
      'admin_token'         => '',
      'admin_tenant_name'   => 'services',
      'project_domain_name' => 'Default',
      'user_domain_name'    => 'Default',
    },
  }))

  profile::config::redis { 'of webui':
    addresses => ['127.0.0.1'],
    password  => $redis_password,
  }

  file {
    default:
      ensure    => file,
      owner     => 'root',
      group     => 'contrail',
      mode      => '0640',
      show_diff => false;
    '/etc/contrail/config.global.js':
      content => Sensitive(epp('profile/webui-module.js.epp', { 'name' => 'config', 'value' => $config }));
    # The programs read the second; upstream's images link only the first.
    ['/etc/contrail/contrail-webui-userauth.js', "${core}/config/userAuth.js"]:
      content => $login;
    "${core}/config/config.global.js":
      ensure => link,
      target => '/etc/contrail/config.global.js';
    $certificates:
      ensure => directory,
      mode   => '0750';
    "${certificates}/cs-key.pem":
      require => Exec['certificate of the web console'];
  }
  # haproxy is in front of it, and asks for no more; without its certificate the web server doesn't start.
  exec { 'certificate of the web console':
    command => [
      'openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '3650', '-subj', '/CN=webui',
      '-keyout', "${certificates}/cs-key.pem", '-out', "${certificates}/cs-cert.pem",
    ],
    path    => ['/usr/bin', '/bin'],
    umask   => '0077',
    creates => "${certificates}/cs-cert.pem",
    require => File[$certificates],
  }
  -> file { "${certificates}/cs-cert.pem":
    ensure => file,
    owner  => 'root',
    group  => 'contrail',
    mode   => '0640',
  }

  service {
    default:
      ensure    => running,
      enable    => true,
      require   => [Profile::Config::Redis['of webui'], File["${certificates}/cs-cert.pem"], File["${certificates}/cs-key.pem"]],
      subscribe => [
        File['/etc/contrail/config.global.js'],
        File["${core}/config/userAuth.js"],
        Class['dockstack::tls'],
      ];
    ['webui-job', 'webui-web']: ;
  }
}
