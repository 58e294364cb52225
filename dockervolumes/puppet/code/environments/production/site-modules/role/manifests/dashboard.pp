# @summary The dashboard.
class role::dashboard {
  include profile::dashboard
}
