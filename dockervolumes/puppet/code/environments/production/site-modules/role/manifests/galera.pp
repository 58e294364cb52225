# @summary A member of the database cluster.
class role::galera {
  include profile::galera
}
