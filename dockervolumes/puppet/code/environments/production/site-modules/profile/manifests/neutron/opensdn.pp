# @summary OpenSDN's plugin of Neutron's API, which hands all on to OpenSDN's config API.
#
# Its plugin for tags is left out: Neutron looks for what has them in its own database, where nothing of OpenSDN's is.
#
# @param rabbit_hosts Host names of the message brokers.
# @param rabbit_password Password of the RabbitMQ user openstack.
# @param config_servers Addresses of the config API's own servers.
# @param analytics_servers Addresses of the analytics API's own servers.
# @param settings File of the plugin's settings.
# @param site Directory of the plugin, as its image has it.
class profile::neutron::opensdn (
  Array[Stdlib::Fqdn, 1] $rabbit_hosts,
  Sensitive[String[1]] $rabbit_password,
  Array[Stdlib::IP::Address::V4::Nosubnet, 1] $config_servers,
  Array[Stdlib::IP::Address::V4::Nosubnet] $analytics_servers,
  Stdlib::Unixpath $settings = '/etc/neutron/plugins/opencontrail/ContrailPlugin.ini',
  Stdlib::Unixpath $site = '/opt/contrail/site-packages',
) {
  # Neutron's own, in their order.
  $filters = ['cors', 'http_proxy_to_wsgi', 'request_id', 'catch_errors', 'osprofiler', 'authtoken', 'keystonecontext', 'extensions']
  $package = 'neutron_plugin_contrail.plugins.opencontrail'

  class { 'neutron::logging':
    log_dir    => $facts['os_service_default'],
    use_stderr => true,
  }
  class { 'neutron':
    core_plugin           => "${package}.contrail_plugin.NeutronPluginContrailCoreV2",
    service_plugins       => ['contrail-timestamp'],
    api_extensions_path   => "${site}/neutron_plugin_contrail/extensions",
    default_transport_url => dockstack::transport_url($rabbit_hosts, $rabbit_password),
    *                     => dockstack::messaging($rabbit_hosts),
  }
  if $rabbit_hosts.length > 1 {
    # The class has no parameter for it.
    Neutron_config <| title == 'oslo_messaging_rabbit/use_queue_manager' |> { value => true }
  }
  class { 'neutron::quota':
    quota_driver => "${package}.quota.driver.QuotaDriver",
  }
  # It asks as users of before the new rules.
  class { 'neutron::policy':
    enforce_scope        => false,
    enforce_new_defaults => false,
  }

  file { dirname($settings):
    ensure  => directory,
    owner   => 'root',
    group   => 'neutron',
    mode    => '0755',
    require => Anchor['neutron::install::end'],
  }
  profile::config::settings { $settings:
    program  => 'neutron-plugin',
    group    => 'neutron',
    sections => {
      'APISERVER' => {
        'api_server_ip'       => $config_servers,
        'api_server_port'     => 8082,
        'multi_tenancy'       => 'True',
        'contrail_extensions' => 'contrail:None,service-interface:None,vf-binding:None',
      },
      'COLLECTOR' => { 'analytics_api_ip' => $analytics_servers, 'analytics_api_port' => 8081 },
    },
    require  => Anchor['neutron::config::begin'],
    notify   => Anchor['neutron::config::end'],
  }
  # The config API decides by who asks: the token is kept for it before Keystone's filter takes it away.
  neutron_api_paste_ini {
    'filter:user_token/paste.filter_factory':
      value => "${package}.neutron_middleware:token_factory";
    'composite:neutronapi_v2_0/keystone':
      value => (['user_token'] + $filters + ['neutronapiapp_v2_0']).join(' ');
  }
}
