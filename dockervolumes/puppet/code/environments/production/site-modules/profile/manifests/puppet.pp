# @summary The Puppet server, which also manages itself.
class profile::puppet {
  service { 'puppetserver':
    ensure => running,
    enable => true,
  }
}
