# @summary RabbitMQ, the message broker of the OpenStack services.
#
# @param address Address that the broker, the Erlang distribution and its port mapper listen on.
# @param node_name Erlang node name, `rabbit@<short host name>`; the stored data belong to it.
# @param user_passwords Password by user; each user may use everything in the default virtual host.
# @param erlang_cookie Shared secret of the cluster's nodes and of rabbitmqctl.
# @param clustered Whether it is one of several brokers, which the file /etc/dockstack/rabbitmq/brokers names.
# @param memory Memory in MiB above which publishers are held back.
class profile::rabbitmq (
  Stdlib::IP::Address::V4::Nosubnet $address,
  Pattern[/\Arabbit@[a-z0-9-]+\z/] $node_name,
  Sensitive[Hash[String[1], String[1]]] $user_passwords,
  Sensitive[String[1]] $erlang_cookie,
  Boolean $clustered = false,
  Integer[128] $memory = 512,
) {
  # A broker that is gone for good, or new, is one less or one more for the queues as well.
  $membership = $clustered ? {
    false   => {},
    default => {
      'quorum_membership_reconciliation_enabled'           => true,
      'quorum_membership_reconciliation_auto_remove'       => true,
      'quorum_membership_reconciliation_target_group_size' => 3,
    },
  }
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
    } + $membership,
    config_kernel_variables => {
      'inet_dist_use_interface' => "{${regsubst($address, '\.', ',', 'G')}}",
      'inet_dist_listen_min'    => 25672,
      'inet_dist_listen_max'    => 25672,
    },
  }

  $cookie = '/var/lib/rabbitmq/.erlang.cookie'
  if $clustered {
    # Started again with another cookie, it would not find the others, and without a majority of them it can't start.
    file { '/etc/rabbitmq/cookie':
      ensure    => file,
      owner     => 'root',
      group     => 'root',
      mode      => '0600',
      content   => $erlang_cookie,
      show_diff => false,
      require   => Class['rabbitmq::install'],
    }
    -> exec { 'cookie of RabbitMQ':
      command   => '/etc/dockstack/bin/rabbitmq-settle cookie',
      unless    => "/usr/bin/cmp --silent /etc/rabbitmq/cookie ${cookie}",
      logoutput => on_failure,
      before    => Class['rabbitmq::service'],
    }
  } else {
    file { $cookie:
      ensure    => file,
      owner     => 'rabbitmq',
      group     => 'rabbitmq',
      mode      => '0400',
      content   => $erlang_cookie,
      show_diff => false,
      require   => Class['rabbitmq::install'],
      notify    => Class['rabbitmq::service'],
    }
  }

  $virtual_host = $clustered ? {
    true    => ' quorum',
    default => '',
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
    command   => "/etc/dockstack/bin/rabbitmq-settle apply${virtual_host}",
    unless    => "/etc/dockstack/bin/rabbitmq-settle check${virtual_host}",
    logoutput => on_failure,
    timeout   => 240,
    require   => Class['rabbitmq'],
  }
}
