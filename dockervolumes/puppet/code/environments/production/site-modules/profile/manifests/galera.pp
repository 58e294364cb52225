# @summary MariaDB as a member of a Galera cluster, with a database for each OpenStack service.
#
# @param address Address that this member listens on.
# @param databases Databases; each belongs to a user of the same name.
# @param former_databases Databases of services that the lab may have had and has no longer: removed, with their users.
# @param root_password Password of the local root user, who may also log in without it through the socket.
# @param database_passwords Password by database.
class profile::galera (
  Stdlib::IP::Address::V4::Nosubnet $address,
  Array[String[1]] $databases,
  Array[String[1]] $former_databases,
  Sensitive[String[1]] $root_password,
  Sensitive[Hash[String[1], String[1]]] $database_passwords,
) {
  $charset = 'utf8mb3'
  $collation = 'utf8mb3_general_ci'

  class { 'mysql::server':
    create_root_user        => false,
    create_root_my_cnf      => false,
    remove_default_accounts => true,
    # It runs already, by its program galera-member.
    restart                 => false,
    service_name            => 'mariadb',
    override_options        => {
      'client'      => { 'socket' => '/run/mysqld/mysqld.sock', 'skip-ssl' => true },
      'mysqld_safe' => { 'socket' => '/run/mysqld/mysqld.sock' },
      'mysqld'      => {
        'bind-address'                   => $address,
        'socket'                         => '/run/mysqld/mysqld.sock',
        'pid-file'                       => '/run/mysqld/mysqld.pid',
        'ssl-ca'                         => false,
        'ssl-cert'                       => false,
        'ssl-key'                        => false,
        'skip-name-resolve'              => true,
        'max_connections'                => '1000',
        # A port check is a connection without a login, which is logged otherwise.
        'log_warnings'                   => '1',
        'character-set-server'           => $charset,
        'collation-server'               => $collation,
        # What "CHARACTER SET utf8" alone means, in migrations and in ALTER DATABASE.
        'character_set_collations'       => "${charset}=${collation}",
        'query_cache_type'               => '0',
        'query_cache_size'               => '0',
        'binlog_format'                  => 'ROW',
        'default_storage_engine'         => 'InnoDB',
        'innodb_autoinc_lock_mode'       => '2',
        'innodb_buffer_pool_size'        => '128M',
        'innodb_log_file_size'           => '48M',
        'innodb_flush_log_at_trx_commit' => '1',
        # On, as by default since 11.6, it refuses to change a row that somebody else has changed since the transaction
        # began, with an error that OpenStack's services don't try again after: https://bugs.launchpad.net/nova/+bug/2116186
        'innodb_snapshot_isolation'      => 'OFF',
        'wsrep_on'                       => 'ON',
        'wsrep_provider'                 => '/usr/lib/galera/libgalera_smm.so',
        'wsrep_provider_options'         => "\"gcache.size=32M;gmcast.listen_addr=tcp://${address}:4567;ist.recv_addr=${address};pc.recovery=false\"",
        'wsrep_cluster_name'             => 'dockstack',
        # Who the members are is said at each start, and who makes the cluster again: see galera-member.
        'wsrep_cluster_address'          => "gcomm://${address}",
        'wsrep_node_name'                => $trusted['certname'],
        'wsrep_node_address'             => $address,
        'wsrep_sst_method'               => 'rsync',
      },
    },
  }

  # What it runs with, it keeps with its data. Where there is nothing, it has waited for this configuration.
  exec { 'start MariaDB anew with its configuration':
    command  => 'supervisorctl restart mariadb',
    onlyif   => 'cmp --silent /etc/mysql/my.cnf /var/lib/mysql/.my.cnf; [ $? -eq 1 ]',
    path     => ['/usr/bin', '/bin'],
    provider => shell,
    require  => Class['mysql::server::managed_dirs'],
  }
  # Before upstream would install the database, as a member that joins gets its from the others. Upstream looks for the socket in
  # steps of 10 s, too, and a member that still joins has one but refuses queries.
  -> exec { 'wait for MariaDB':
    command => '/etc/dockstack/bin/galera-ready 240',
    unless  => '/etc/dockstack/bin/galera-ready',
    timeout => 300,
    before  => Class['mysql::server::installdb'],
  }

  # The statement that the server prints for the wanted account, compared with and made into the one that sets it.
  $root_hash = mysql::password($root_password)
  $shown = 'mariadb --batch --raw --skip-column-names --execute "SHOW CREATE USER root@localhost"'
  file { '/etc/mysql/root-account.sql':
    ensure    => file,
    owner     => 'root',
    group     => 'root',
    mode      => '0600',
    show_diff => false,
    content   => Sensitive(
      "CREATE USER `root`@`localhost` IDENTIFIED VIA unix_socket OR mysql_native_password USING '${root_hash}'\n"
    ),
    require   => Class['mysql::server::install'],
  }
  -> exec { 'root account of MariaDB':
    command  => 'sed "s/^CREATE/ALTER/" /etc/mysql/root-account.sql | mariadb',
    unless   => "${shown} | cmp --silent - /etc/mysql/root-account.sql",
    path     => ['/usr/bin', '/bin'],
    provider => shell,
    require  => Class['mysql::server'],
  }

  $databases.each |$database| {
    mysql_database { $database:
      ensure  => present,
      charset => $charset,
      collate => $collation,
      require => Class['mysql::server'],
    }
    -> mysql_user { "${database}@%":
      ensure        => present,
      password_hash => mysql::password($database_passwords.unwrap[$database], true),
    }
    -> mysql_grant { "${database}@%/${database}.*":
      ensure     => present,
      user       => "${database}@%",
      table      => "${database}.*",
      privileges => ['ALL'],
    }
  }
  $former_databases.each |$database| {
    mysql_user { "${database}@%":
      ensure  => absent,
      require => Class['mysql::server'],
    }
    -> mysql_database { $database:
      ensure => absent,
    }
  }
}
