# @summary Has supervisord follow the mounted program files.
#
# Adds new programs, restarts those whose file has changed and drops those whose file is gone.
class dockstack::supervisor {
  exec { 'supervisorctl update':
    path   => '/usr/bin:/bin',
    unless => "supervisorctl reread | grep --quiet --line-regexp 'No config updates to processes'",
  }
}
