require_relative '../keystone_api'

Puppet::Type.type(:keystone_user).provide(:api, parent: Puppet::Provider::KeystoneApi) do
  desc "Keystone's users, through its API."

  defaultfor 'os.family' => :debian

  const_set(:KIND, 'users')

  boolean :enabled
  attribute :description
  attribute :email

  # Users that an earlier run made, as the parameters of their resources.
  def self.managed
    names = api.list('domains').to_h { |domain| [domain['id'], domain['name']] }
    api.list('users').select { |user| self::MARK <= user }
       .map { |user| { name: user['name'], domain: names[user['domain_id']] } }
  end

  def create
    where = { 'domain_id' => demand_domain_id(resource[:domain]), 'enabled' => resource[:enabled] != :false }
    api.create('users', self.class::MARK.merge(given(:name, :password, :description, :email), where))
  end

  # The wanted password if it works, for nobody can ask what the present one is.
  def password
    wanted = resource[:password]
    return wanted if wanted.nil? || resource[:enabled] == :false || resource[:replace_password] == :false

    api.authenticates?(record, wanted) ? wanted : :absent
  end

  def password=(value)
    @changes['password'] = value
  end

  private

  def record
    api.find('users', 'name' => resource[:name], 'domain_id' => domain_id(resource[:domain]))
  end
end
