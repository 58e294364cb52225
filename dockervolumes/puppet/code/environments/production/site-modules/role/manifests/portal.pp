# @summary The live page of the lab.
class role::portal {
  include profile::portal
}
