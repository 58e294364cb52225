# @summary DNS and DHCP of the lab.
class profile::dnsmasq {
  # The program runs with this copy of the mounted files, taken at its start: a difference is a change that needs a restart.
  file { '/run/dnsmasq':
    ensure  => directory,
    source  => 'file:///etc/dockstack/dnsmasq',
    recurse => true,
    purge   => true,
    notify  => Service['dnsmasq'],
  }

  service { 'dnsmasq':
    ensure => running,
    enable => true,
  }
}
