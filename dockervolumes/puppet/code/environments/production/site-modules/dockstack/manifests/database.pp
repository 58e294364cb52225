# @summary The password of a service's database, in a file that the URL from dockstack::database_url names.
#
# Not in the URL: OpenStack's programs print URLs whole, and some refuse one with an escaped character.
#
# @param password Password of the database user.
# @param group Group that may read it.
# @param directory Directory of the file below /etc.
define dockstack::database (
  Sensitive[String[1]] $password,
  String[1] $group = $title,
  String[1] $directory = $title,
) {
  file { "/etc/${directory}/${title}.cnf":
    ensure    => file,
    owner     => 'root',
    group     => $group,
    mode      => '0640',
    show_diff => false,
    content   => Sensitive("[client]\npassword = ${dockstack::quote::pymysql($password)}\n"),
  }
}
