# @summary How the services at the virtual address are spoken to, by those that ask others there.
#
# Programs read the authority's file when they start: `Class['dockstack::tls'] ~> Anchor[...]` has them started again for another.
#
# @param enabled Whether they speak TLS, with a certificate of the lab's own authority.
class dockstack::tls (
  Boolean $enabled = false,
) {
  $file = '/etc/ssl/dockstack.pem'
  $scheme = $enabled ? {
    true    => 'https',
    default => 'http',
  }
  # What an option is set to that names the authority's file.
  $authority = $enabled ? {
    true    => $file,
    default => $facts['os_service_default'],
  }
  # The same where nothing is said by undef.
  $cacert = $enabled ? {
    true    => $file,
    default => undef,
  }

  # The agent's own is in a directory that it gives the permissions that it likes.
  file { $file:
    ensure => stdlib::ensure($enabled, 'file'),
    owner  => 'root',
    group  => 'root',
    mode   => '0644',
    source => '/var/lib/puppet/ssl/certs/ca.pem',
  }
}
