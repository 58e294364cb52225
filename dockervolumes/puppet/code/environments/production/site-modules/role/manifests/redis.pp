# @summary A Redis for OpenSDN's services.
class role::redis {
  include profile::redis
}
