require_relative '../keystone_api'

Puppet::Type.type(:keystone_tenant).provide(:api, parent: Puppet::Provider::KeystoneApi) do
  desc "Keystone's projects, through its API."

  defaultfor 'os.family' => :debian

  const_set(:KIND, 'projects')

  boolean :enabled
  attribute :description

  def create
    where = { 'domain_id' => demand_domain_id(resource[:domain]), 'enabled' => resource[:enabled] != :false }
    api.create('projects', given(:name, :description).merge(where))
  end

  private

  def record
    api.find('projects', 'name' => resource[:name], 'domain_id' => domain_id(resource[:domain]))
  end
end
