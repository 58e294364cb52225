# @summary Block storage: API, scheduler and volume service.
class role::cinder {
  include profile::cinder
}
