# @summary The URL of a service's database, whose password is in the file that dockstack::database writes.
#
# @param name Name of the database, and of its user.
# @param host Host name of the database server.
# @param directory Directory of the password's file below /etc.
# @param user Name of the user, where it isn't the database's.
function dockstack::database_url(
  String[1] $name,
  Stdlib::Fqdn $host,
  String[1] $directory = $name,
  String[1] $user = $name,
) >> String[1] {
  os_database_connection({
    'dialect'  => 'mysql+pymysql',
    'host'     => $host,
    'username' => $user,
    'database' => $name,
    'extra'    => { 'charset' => 'utf8mb3', 'read_default_file' => "/etc/${directory}/${user}.cnf" },
  })
}
