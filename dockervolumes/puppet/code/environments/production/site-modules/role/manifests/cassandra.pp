# @summary A member of OpenSDN's data stores: Cassandra, ZooKeeper and Kafka.
class role::cassandra {
  include profile::cassandra
}
