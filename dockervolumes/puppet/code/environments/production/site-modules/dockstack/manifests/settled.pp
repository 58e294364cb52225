# @summary Waits until the services of the catalog, all started before, run.
class dockstack::settled {
  supervisor_programs { 'services':
    services => running,
  }
}
