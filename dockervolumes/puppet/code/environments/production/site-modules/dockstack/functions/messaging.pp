# @summary What a service is told of its message brokers beside their URL, as parameters of its module's main class.
#
# @param hosts Host names of the brokers; a single one is spoken to as by default.
function dockstack::messaging(Array[Stdlib::Fqdn, 1] $hosts) >> Hash[String[1], Data] {
  $hosts.length ? {
    1       => {},
    default => {
      'amqp_durable_queues'                => true,
      'rabbit_quorum_queue'                => true,
      'rabbit_transient_quorum_queue'      => true,
      # Not all of them to the same broker, neither at their start nor after the end of another.
      'kombu_failover_strategy'            => 'shuffle',
      # One that was cut off, and closes no connection, is given up after so many seconds.
      'rabbit_heartbeat_timeout_threshold' => 30,
    },
  }
}
