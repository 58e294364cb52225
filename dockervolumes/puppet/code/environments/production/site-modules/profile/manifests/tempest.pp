# @summary What the runs of Tempest have to know of the lab; they find out the rest.
#
# @param keystone_url Identity API.
# @param domain Domain of the names that Neutron's ports get.
# @param region Region of the endpoints.
# @param admin_password Password of the user admin, who makes the projects and users of the tests.
# @param computes How many computes the lab has.
# @param dashboard_url Where the dashboard is, for a lab that has one.
# @param provider_address Address with prefix on the provider network, for a lab that has one.
class profile::tempest (
  Stdlib::HTTPUrl $keystone_url,
  Stdlib::Fqdn $domain,
  String[1] $region,
  Sensitive[String[1]] $admin_password,
  Integer[0] $computes = 0,
  Optional[Stdlib::HTTPUrl] $dashboard_url = undef,
  Optional[Stdlib::IP::Address::V4::CIDR] $provider_address = undef,
) {
  include dockstack::tls

  file { '/etc/tempest/lab.json':
    ensure    => file,
    owner     => 'root',
    group     => 'root',
    mode      => '0600',
    show_diff => false,
    content   => Sensitive(stdlib::to_json({
      'auth_url'         => $keystone_url,
      'cacert'           => $dockstack::tls::cacert,
      'password'         => $admin_password.unwrap,
      'domain'           => $domain,
      'region'           => $region,
      'computes'         => $computes,
      'dashboard_url'    => $dashboard_url,
      'provider_address' => $provider_address,
    })),
  }
}
