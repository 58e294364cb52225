# Writes secrets the ways that the profiles do, below /etc/written: all of them quoted by the functions, in one file for each reader, and
# some with the types and defines that write a service's own files.
$secrets = lookup('profile::written::passwords')
$some = lookup('profile::written::some_passwords')
$users = lookup('profile::written::user_passwords')
$words = lookup('profile::written::vrrp_passwords')
$cookie = lookup('profile::written::erlang_cookie')

$settings = $secrets.unwrap.map |$name, $text| { "${name} = ${dockstack::quote::oslo_config(Sensitive($text))}\n" }
$urls = $secrets.unwrap.map |$name, $text| {
  $url = os_transport_url({
    'transport' => 'rabbit',
    'hosts'     => ['localhost'],
    'port'      => 5672,
    'username'  => $name,
    'password'  => $text,
  })
  "${name} = ${url}\n"
}
$options = $secrets.unwrap.map |$name, $text| { "[${name}]\npassword = ${dockstack::quote::pymysql(Sensitive($text))}\n" }
$exports = $secrets.unwrap.map |$name, $text| { "export ${name}=${stdlib::shell_escape($text)}\n" }
$hashes = $secrets.unwrap.map |$name, $text| { [$name, mysql::password($text)] }
$quoted_words = $words.unwrap.map |$name, $text| { [$name, dockstack::quote::keepalived(Sensitive($text))] }

file {
  default:
    show_diff => false;
  ['/etc/written', '/etc/keystone', '/etc/neutron']:
    ensure => directory;
  '/etc/written/oslo.conf':
    content => Sensitive(['[settings]', "\n", $settings, '[urls]', "\n", $urls].flatten.join);
  '/etc/written/pymysql.cnf':
    content => Sensitive($options.join);
  '/etc/written/openrc':
    content => Sensitive($exports.join);
  '/etc/written/secrets.json':
    content => Sensitive(stdlib::to_json($secrets.unwrap));
  '/etc/written/users.json':
    content => Sensitive(stdlib::to_json($users.unwrap));
  '/etc/written/hashes.json':
    content => Sensitive(stdlib::to_json(Hash($hashes)));
  '/etc/written/cookie':
    content => $cookie;
  '/etc/written/keepalived.conf':
    content => epp('profile/haproxy-keepalived.conf.epp', {
      'vip_address'   => '10.0.0.2',
      'prefix'        => 24,
      'router_id'     => 51,
      'priority'      => 150,
      'vrrp_password' => 'PASSWORD',
      'peers'         => ['10.0.0.3'],
    });
  '/etc/written/words.json':
    content => Sensitive(stdlib::to_json(Hash($quoted_words)));
}

$some.unwrap.each |$name, $text| {
  $setting = dockstack::quote::oslo_config(Sensitive($text))
  keystone_config { "settings/${name}":
    value   => $setting,
    secret  => true,
    require => File['/etc/keystone'],
  }
  neutron_metadata_agent_config { "settings/${name}":
    value   => $setting,
    secret  => true,
    require => File['/etc/neutron'],
  }
  dockstack::database { $name:
    password  => Sensitive($text),
    group     => 'root',
    directory => 'written',
  }
}
