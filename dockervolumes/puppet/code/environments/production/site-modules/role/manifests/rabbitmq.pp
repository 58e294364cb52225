# @summary A message broker.
class role::rabbitmq {
  include profile::rabbitmq
}
