# @summary The live page of the lab, which asks the keepers what there is.
#
# @param address Address that it listens on.
# @param keepers URL of the keeper of each host.
# @param lab What the page draws.
# @param keeper_secret Token that the keepers know it by.
# @param login_password What people log in with where there is no Keystone, or none that answers.
# @param session_secret Key that cookies are signed with, the same on all members.
# @param keystone_url Identity API that people log in by.
class profile::portal (
  Stdlib::IP::Address::V4::Nosubnet $address,
  Hash[String[1], Stdlib::HTTPUrl, 1] $keepers,
  Hash[String[1], Data] $lab,
  Sensitive[String[1]] $keeper_secret,
  Sensitive[String[1]] $login_password,
  Sensitive[String[1]] $session_secret,
  Optional[Stdlib::HTTPUrl] $keystone_url = undef,
) {
  include dockstack::tls
  Class['dockstack::tls'] ~> Service['portal']

  file { '/etc/portal.json':
    ensure    => file,
    owner     => 'root',
    group     => 'portal',
    mode      => '0640',
    show_diff => false,
    content   => Sensitive(stdlib::to_json({
      'address'   => $address,
      'keepers'   => $keepers,
      'lab'       => $lab,
      'token'     => $keeper_secret.unwrap,
      'password'  => $login_password.unwrap,
      'key'       => $session_secret.unwrap,
      'keystone'  => $keystone_url,
      'authority' => $dockstack::tls::cacert,
      'secure'    => $dockstack::tls::enabled,
    })),
  }
  ~> service { 'portal':
    ensure => running,
    enable => true,
  }
}
