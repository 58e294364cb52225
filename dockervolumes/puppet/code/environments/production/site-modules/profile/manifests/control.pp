# @summary OpenSDN's control node: contrail-control, contrail-dns, and the named that the latter writes the settings of.
#
# @param hostname Name of the container, under which the config API has its BGP router.
# @param rndc_secret What contrail-dns tells named by whom a command is from.
class profile::control (
  Stdlib::Fqdn $hostname,
  Sensitive[Pattern[/\A[[:alnum:]]+\z/]] $rndc_secret,
) {
  include profile::config::common

  $address = $profile::config::common::address
  $directory = '/etc/contrail/dns'
  $key = base64('encode', $rndc_secret.unwrap, 'strict')
  $common = {
    'hostip'     => $address,
    'hostname'   => $hostname,
    'collectors' => $profile::config::common::collectors,
    'log_file'   => '<stdout>',
  }

  profile::config::settings {
    '/etc/contrail/contrail-control.conf':
      program  => 'contrail-control',
      sections => {
        'DEFAULT'  => $common + { 'http_server_port' => 8083, 'bgp_port' => 179, 'xmpp_server_port' => 5269 },
        'CONFIGDB' => $profile::config::common::config_database,
      };
    '/etc/contrail/contrail-dns.conf':
      program  => 'contrail-dns',
      sections => {
        'DEFAULT'  => $common + {
          'http_server_port'       => 8092,
          'dns_server_port'        => 53,
          'named_config_directory' => $directory,
          'named_config_file'      => 'contrail-named.conf',
          'rndc_config_file'       => 'contrail-rndc.conf',
          'rndc_secret'            => Sensitive($key),
        },
        'CONFIGDB' => $profile::config::common::config_database,
      };
  }

  # contrail-dns writes both of its files anew, with the tenants' zones: they are begun here, and then left to it.
  $rndc = @("RNDC")
    key "rndc-key" {
        algorithm hmac-md5;
        secret "${key}";
    };
    | RNDC
  file {
    default:
      owner => 'contrail',
      group => 'contrail';
    $directory:
      ensure => directory,
      mode   => '0750';
    ["${directory}/contrail-rndc.conf", "${directory}/contrail-named.conf"]:
      ensure    => file,
      mode      => '0640',
      replace   => false,
      show_diff => false;
  }
  File["${directory}/contrail-rndc.conf"] {
    content => Sensitive("${rndc}options {\n    default-key \"rndc-key\";\n    default-server 127.0.0.1;\n    default-port 8094;\n};\n"),
  }
  File["${directory}/contrail-named.conf"] {
    content => Sensitive(epp('profile/control-named.conf.epp', { 'directory' => $directory, 'rndc' => $rndc })),
  }

  service {
    default:
      ensure => running,
      enable => true;
    'contrail-control':
      subscribe => Profile::Config::Settings['/etc/contrail/contrail-control.conf'];
    'contrail-named':
      require => File["${directory}/contrail-named.conf"];
    'contrail-dns':
      subscribe => Profile::Config::Settings['/etc/contrail/contrail-dns.conf'],
      require   => [File["${directory}/contrail-rndc.conf"], Service['contrail-named']];
  }
}
