# @summary Cassandra, ZooKeeper and Kafka, each a member of a cluster of one or more.
#
# Which of the members begin a cluster, and how others join it, is decided when the programs start: it isn't known before what
# the others have.
#
# @param address Address that all three listen on.
# @param members All members, this one included, in the order in which they come.
# @param admin_password Password of Cassandra's role admin, who may everything.
# @param service_password Password of Cassandra's role opensdn, which the services log in as.
# @param zookeeper_password Password of who may change ZooKeeper's ensemble.
# @param cassandra_heap Cassandra's heap in MiB.
# @param zookeeper_heap ZooKeeper's heap in MiB.
# @param kafka_heap Kafka's heap in MiB.
class profile::cassandra (
  Stdlib::IP::Address::V4::Nosubnet $address,
  Array[Struct[{ name => Stdlib::Fqdn, address => Stdlib::IP::Address::V4::Nosubnet, id => Integer[1, 255] }], 1] $members,
  Sensitive[Pattern[/\A[[:alnum:]]{1,72}\z/]] $admin_password,
  Sensitive[Pattern[/\A[[:alnum:]]{1,72}\z/]] $service_password,
  Sensitive[Pattern[/\A[[:alnum:]]+\z/]] $zookeeper_password,
  Integer[256] $cassandra_heap = 448,
  Integer[32] $zookeeper_heap = 96,
  Integer[128] $kafka_heap = 224,
) {
  $id = $members.filter |$member| { $member['address'] == $address }[0]['id']
  $copies = $members.length
  # Nothing of it is ever compiled for long: the quick compiler is enough, and one collector's thread.
  $quick = ['-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-XX:+ExitOnOutOfMemoryError', '-XX:-UsePerfData']
  $java = {
    'cassandra' => $quick + [
      "-Xms${$cassandra_heap / 2}m",
      "-Xmx${cassandra_heap}m",
      '-XX:MaxDirectMemorySize=96m',
      '-Xss256k',
      '-Djava.net.preferIPv4Stack=true',
      '-Djava.security.manager=allow',
      '-Djdk.attach.allowAttachSelf=true',
      '-Dio.netty.tryReflectionSetAccessible=true',
      '-Dcassandra-foreground=yes',
      '-Dcassandra.config=file:///run/cassandra/cassandra.yaml',
      '-Dcassandra.storagedir=/var/lib/cassandra',
      '-Dcassandra.logdir=/tmp',
      '-Dcassandra.jmx.local.port=7199',
      '-Dcassandra.superuser_setup_delay_ms=0',
      # On a bridge, all hear of a change within seconds.
      '-Dcassandra.ring_delay_ms=5000',
      '-Dcassandra.gossip_settle_min_wait_ms=2000',
      '-Dlogback.configurationFile=/etc/cassandra/logback.xml',
    ],
    'zookeeper' => $quick + [
      '-Xms32m',
      "-Xmx${zookeeper_heap}m",
      '-Dlog4j.configuration=file:/etc/zookeeper/log4j.properties',
    ],
    'kafka'     => $quick + [
      '-Xms96m',
      "-Xmx${kafka_heap}m",
      '-XX:MaxDirectMemorySize=64m',
      '-Dlog4j.configuration=file:/etc/kafka/log4j.properties',
      '-Dkafka.logs.dir=/tmp',
    ],
  }
  $log4j = epp('profile/cassandra-log4j.properties.epp')
  $files = {
    # Who begins the cluster and what it is joined by, start-cassandra adds.
    '/etc/cassandra/cassandra.yaml'   => stdlib::to_yaml({
      'cluster_name'                   => 'dockstack',
      'num_tokens'                     => 16,
      'partitioner'                    => 'org.apache.cassandra.dht.Murmur3Partitioner',
      'endpoint_snitch'                => 'SimpleSnitch',
      'listen_address'                 => $address,
      'rpc_address'                    => $address,
      'start_native_transport'         => true,
      'authenticator'                  => 'PasswordAuthenticator',
      'authorizer'                     => 'CassandraAuthorizer',
      'role_manager'                   => 'CassandraRoleManager',
      # The first of the JDK's; another one, which would be looked for before, isn't there.
      'crypto_provider'                => [{ 'class_name' => 'org.apache.cassandra.security.JREProvider' }],
      # A write is on the disk before it is acknowledged.
      'commitlog_sync'                 => 'group',
      'commitlog_sync_group_window'    => '5ms',
      'commitlog_segment_size'         => '8MiB',
      'commitlog_total_space'          => '64MiB',
      'commitlog_disk_access_mode'     => 'legacy',
      'memtable_heap_space'            => '64MiB',
      'memtable_offheap_space'         => '16MiB',
      'file_cache_size'                => '32MiB',
      'networking_cache_size'          => '16MiB',
      'key_cache_size'                 => '8MiB',
      'counter_cache_size'             => '4MiB',
      'prepared_statements_cache_size' => '4MiB',
      'column_index_size'              => '4KiB',
      'concurrent_reads'               => 16,
      'concurrent_writes'              => 16,
      'concurrent_counter_writes'      => 8,
      'concurrent_compactors'          => 1,
      'auto_snapshot'                  => false,
      # Clients on a busy host have patience.
      'read_request_timeout'           => '10s',
      'range_request_timeout'          => '20s',
      'write_request_timeout'          => '10s',
      'request_timeout'                => '20s',
    }),
    '/etc/cassandra/logback.xml'      => epp('profile/cassandra-logback.xml.epp'),
    # What belongs to this start alone, start-zookeeper adds.
    '/etc/zookeeper/zoo.cfg'          => epp('profile/cassandra-zoo.cfg.epp'),
    '/etc/zookeeper/log4j.properties' => $log4j,
    '/etc/kafka/server.properties'    => epp('profile/cassandra-kafka.properties.epp', {
      'address' => $address,
      'id'      => $id,
      'copies'  => $copies,
    }),
    '/etc/kafka/log4j.properties'     => $log4j,
  }

  $java.each |$program, $options| {
    file {
      default:
        owner  => 'root',
        group  => 'root',
        notify => Service[$program];
      "/etc/${program}":
        ensure => directory,
        mode   => '0755';
      "/etc/${program}/jvm.options":
        ensure  => file,
        mode    => '0644',
        content => "${options.join("\n")}\n";
    }
    service { $program:
      ensure => running,
      enable => true,
    }
  }
  $files.each |$path, $content| {
    file { $path:
      ensure  => file,
      owner   => 'root',
      group   => 'root',
      mode    => '0644',
      content => $content,
      notify  => Service[basename(dirname($path))],
    }
  }

  # The server knows its hash.
  file { '/etc/zookeeper/admin-password':
    ensure    => file,
    owner     => 'root',
    group     => 'root',
    mode      => '0600',
    show_diff => false,
    content   => $zookeeper_password,
    notify    => Service['zookeeper'],
  }

  # Read by the programs' own scripts: no program is started again for what stands in it.
  file { '/etc/cassandra/cluster.json':
    ensure    => file,
    owner     => 'root',
    group     => 'root',
    mode      => '0600',
    show_diff => false,
    content   => Sensitive(stdlib::to_json({
      'own'              => $trusted['certname'],
      'members'          => $members,
      'admin_password'   => $admin_password.unwrap,
      'service_password' => $service_password.unwrap,
    })),
    before    => Service[$java.keys],
  }
  -> exec { 'cassandra-settle':
    command   => '/etc/dockstack/bin/cassandra-settle apply',
    unless    => '/etc/dockstack/bin/cassandra-settle check',
    logoutput => on_failure,
    timeout   => 900,
    require   => Service[$java.keys],
  }
}
