# @summary Redis, which lets in who has the password, and keeps what it was told on the container's volume.
#
# @param address Address that it listens on.
# @param password What clients log in with.
# @param memory Memory for data in MiB; beyond it, nothing more is taken.
class profile::redis (
  Stdlib::IP::Address::V4::Nosubnet $address,
  Sensitive[Pattern[/\A[[:alnum:]]+\z/]] $password,
  Integer[1] $memory = 128,
) {
  file {
    default:
      ensure    => file,
      owner     => 'root',
      show_diff => false;
    '/etc/redis/redis.conf':
      group   => 'redis',
      mode    => '0640',
      content => Sensitive(epp('profile/redis.conf.epp', {
        'address'  => $address,
        'password' => $password,
        'memory'   => $memory,
      })),
      notify  => Service['redis-server'];
    # For the container's own checks.
    '/etc/redis/password':
      group   => 'root',
      mode    => '0600',
      content => $password;
  }

  service { 'redis-server':
    ensure => running,
    enable => true,
  }
}
