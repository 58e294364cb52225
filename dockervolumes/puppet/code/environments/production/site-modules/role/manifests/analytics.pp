# @summary OpenSDN's analytics: what its programs report to, and what asks that.
class role::analytics {
  include profile::analytics
}
