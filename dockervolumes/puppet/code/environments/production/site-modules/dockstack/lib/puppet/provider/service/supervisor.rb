require_relative '../../../puppet_x/dockstack/supervisor'

# Service provider for containers whose PID 1 is supervisord, so that modules manage services unchanged.
#
# A service is a supervisord program of the same name. Its file is mounted, either under boot (starts with the
# container) or under available (enabled by a symbolic link). Commands that a manifest gives for other service managers
# (start, stop, restart, status) are not used.
#
# A program counts as running from its start; supervisor_programs waits for all of them at once, at the end of the run.
Puppet::Type.type(:service).provide :supervisor, parent: :base do
  desc 'Programs of supervisord.'

  has_feature :enableable, :refreshable
  init = '/proc/1/comm'
  confine true: Puppet::FileSystem.exist?(init) && Puppet::FileSystem.read(init).include?('supervisord')
  defaultfor 'os.family' => :debian

  # Above the providers that name Debian's release.
  def self.specificity
    super + 1000
  end

  def self.instances
    []
  end

  def status
    ['RUNNING', 'STARTING', 'BACKOFF'].include?(state) ? :running : :stopped
  end

  def start
    take_up
    supervisor.start(program)
  end

  def stop
    supervisor.stop(program)
  end

  def restart
    take_up
    supervisor.stop(program)
    supervisor.start(program)
  end

  def enabled?
    [boot_file, enabled_link].any? { |path| File.exist?(path) } ? :true : :false
  end

  def enable
    return if enabled? == :true
    raise Puppet::Error, "there is no program file #{available_file}" unless File.exist?(available_file)

    FileUtils.rm_f(enabled_link)
    File.symlink(available_file, enabled_link)
  end

  def disable
    return unless File.symlink?(enabled_link)

    File.unlink(enabled_link)
    supervisor.follow(program)
  end

  # Its name for supervisord.
  def program
    @resource[:name].delete_suffix('.service')
  end

  private

  def supervisor
    PuppetX::Dockstack::Supervisor
  end

  def boot_file
    "/etc/dockstack/supervisor/boot/#{program}.conf"
  end

  def available_file
    "/etc/dockstack/supervisor/available/#{program}.conf"
  end

  def enabled_link
    "/etc/supervisor/enabled/#{program}.conf"
  end

  # nil if supervisord doesn't know the program.
  def state
    supervisor.states[program]
  end

  # Makes the program known, with its present file.
  def take_up
    enable
    supervisor.follow(program)
  end
end
