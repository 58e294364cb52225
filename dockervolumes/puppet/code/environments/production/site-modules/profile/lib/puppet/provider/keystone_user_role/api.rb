require_relative '../keystone_api'

Puppet::Type.type(:keystone_user_role).provide(:api, parent: Puppet::Provider::KeystoneApi) do
  desc 'The roles of a user on a project, a domain or the whole system, through the API of Keystone.'

  defaultfor 'os.family' => :debian

  def create
    self.roles = Array(resource[:roles])
  end

  def destroy
    self.roles = []
  end

  def exists?
    !roles.empty?
  end

  def roles
    return [] unless user && target

    assignments.map { |assignment| names.fetch(assignment['role']['id']) }
  end

  def roles=(wanted)
    demand_user_and_target unless wanted.empty?
    present = roles
    (wanted - present).each do |name|
      role = demand_role(name)
      api.assign(target, user, role)
      api.list('role_assignments').push('role' => role, 'user' => user, 'scope' => scope)
    end
    (present - wanted).each do |name|
      role = demand_role(name)
      api.withdraw(target, user, role)
      api.list('role_assignments').reject! { |assignment| ours?(assignment) && assignment['role']['id'] == role['id'] }
    end
  end

  private

  def assignments
    api.list('role_assignments').select { |assignment| ours?(assignment) }
  end

  def ours?(assignment)
    found = assignment['scope']
    assignment.dig('user', 'id') == user['id'] && !found.key?('OS-INHERIT:inherited_to') &&
      scope.all? { |kind, wanted| kind == 'system' ? found.key?(kind) : found.dig(kind, 'id') == wanted['id'] }
  end

  def names
    api.list('roles').to_h { |role| [role['id'], role['name']] }
  end

  def user
    api.find('users', 'name' => resource[:user], 'domain_id' => domain_id(resource[:user_domain]))
  end

  # What the roles are held on, in the form of an assignment's scope.
  def scope
    if resource.parameter_set?(:project)
      of_domain = { 'name' => resource[:project], 'domain_id' => domain_id(resource[:project_domain]) }
      { 'project' => api.find('projects', of_domain) }
    elsif resource.parameter_set?(:domain)
      { 'domain' => api.find('domains', 'name' => resource[:domain]) }
    else
      { 'system' => { resource[:system] => true } }
    end
  end

  # The same as the first part of the path in the API, nil if it doesn't exist.
  def target
    kind, found = scope.first
    return 'system' if kind == 'system'

    found && "#{kind}s/#{found['id']}"
  end

  def demand_user_and_target
    raise Puppet::Error, "Keystone has no user #{resource[:user]} in domain #{resource[:user_domain]}" unless user
    raise Puppet::Error, "Keystone has no #{scope.keys.first} for #{resource.title}" unless target
  end

  def demand_role(name)
    found = api.list('roles').find { |role| role['name'].casecmp?(name) }
    found || raise(Puppet::Error, "Keystone has no role #{name}")
  end
end
