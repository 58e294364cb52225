# @summary Has supervisord follow the mounted program files.
#
# Adds new programs, restarts those whose file has changed and drops those whose file is gone.
class dockstack::supervisor {
  supervisor_programs { 'mounted files':
    files => followed,
  }
}
