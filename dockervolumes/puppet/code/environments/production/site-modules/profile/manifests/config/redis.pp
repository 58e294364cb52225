# @summary A Redis beside the programs of a container that want one of their own; it keeps nothing. Its title is of no meaning.
#
# @param addresses What it listens on.
# @param password What clients log in with.
define profile::config::redis (
  Array[Stdlib::IP::Address::V4::Nosubnet, 1] $addresses,
  Sensitive[Pattern[/\A[[:alnum:]]+\z/]] $password,
) {
  file { '/etc/redis/redis.conf':
    ensure    => file,
    owner     => 'root',
    group     => 'redis',
    mode      => '0640',
    show_diff => false,
    content   => Sensitive([
      "bind ${addresses.join(' ')}",
      'port 6379',
      'protected-mode yes',
      'daemonize no',
      'dir /tmp',
      'save ""',
      'lua-time-limit 15000',
      "requirepass ${password.unwrap}",
      '',
    ].join("\n")),
  }
  ~> service { 'redis-server':
    ensure => running,
    enable => true,
  }
}
