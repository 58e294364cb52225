require_relative '../keystone_api'

Puppet::Type.type(:keystone_role).provide(:api, parent: Puppet::Provider::KeystoneApi) do
  desc "Keystone's roles, through its API."

  defaultfor 'os.family' => :debian

  const_set(:KIND, 'roles')

  def create
    api.create('roles', 'name' => resource[:name])
  end

  private

  # Keystone takes no two roles whose names differ in case alone.
  def record
    api.list('roles').find { |role| role['name'].casecmp?(resource[:name]) }
  end
end
