# @summary Waits until the services of the catalog, all started before, run.
class dockstack::running {
  supervisor_programs { 'services':
    services => running,
  }
}
