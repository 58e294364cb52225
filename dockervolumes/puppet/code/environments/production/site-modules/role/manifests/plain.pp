# @summary A container with nothing but what all have.
class role::plain {
  include profile::base
}
