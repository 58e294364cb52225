# @summary RabbitMQ, the message broker of the OpenStack services.
#
# @param address Address that the broker, the Erlang distribution and its port mapper listen on.
# @param node_name Erlang node name, `rabbit@<short host name>`; the stored data belong to it.
# @param user_passwords Password by user; each user may use everything in the default virtual host.
# @param erlang_cookie Shared secret of the cluster's nodes and of rabbitmqctl.
# @param memory Memory in MiB above which publishers are held back.
class profile::rabbitmq (
  Stdlib::IP::Address::V4::Nosubnet $address,
  Pattern[/\Arabbit@[a-z0-9-]+\z/] $node_name,
  Sensitive[Hash[String[1], String[1]]] $user_passwords,
  Sensitive[String[1]] $erlang_cookie,
  Integer[128] $memory = 512,
) {
  # Idle schedulers of the virtual machine would otherwise spin.
  $sleepy = '"+sbwt none +sbwtdcpu none +sbwtdio none"'

  class { 'rabbitmq':
    manage_python           => false,
    repos_ensure            => false,
    admin_enable            => false,
    delete_guest_user       => false,
    node_ip_address         => $address,
    inetrc_config           => 'profile/rabbitmq-inetrc.erb',
    environment_variables   => {
      'RABBITMQ_NODENAME'                   => $node_name,
      'RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS' => $sleepy,
      'RABBITMQ_CTL_ERL_ARGS'               => $sleepy,
    },
    config_variables        => {
      'vm_memory_high_watermark' => "{absolute, \"${memory}MB\"}",
    },
    config_kernel_variables => {
      'inet_dist_use_interface' => "{${regsubst($address, '\.', ',', 'G')}}",
      'inet_dist_listen_min'    => 25672,
      'inet_dist_listen_max'    => 25672,
    },
  }

  file { '/var/lib/rabbitmq/.erlang.cookie':
    ensure    => file,
    owner     => 'rabbitmq',
    group     => 'rabbitmq',
    mode      => '0400',
    content   => $erlang_cookie,
    show_diff => false,
    require   => Class['rabbitmq::install'],
    notify    => Class['rabbitmq::service'],
  }

  file { '/etc/rabbitmq/users.json':
    ensure    => file,
    owner     => 'root',
    group     => 'root',
    mode      => '0600',
    show_diff => false,
    content   => Sensitive(stdlib::to_json($user_passwords.unwrap)),
    require   => Class['rabbitmq::install'],
  }
  -> exec { 'users of RabbitMQ':
    command   => '/etc/dockstack/bin/rabbitmq-settle apply',
    unless    => '/etc/dockstack/bin/rabbitmq-settle check',
    logoutput => on_failure,
    timeout   => 240,
    require   => Class['rabbitmq'],
  }
}
