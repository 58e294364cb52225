Puppet::Type.newtype(:keystone_leftovers) do
  desc <<~DESC
    Removes users, services and endpoints that an earlier run made in Keystone and that the catalog no longer names. What
    anybody else made stays. Of use with the provider `api` of those types, which marks what it makes.
  DESC

  newparam(:name, namevar: true) do
    desc 'Any name.'
  end

  # Generated when its turn has come, for before that there may be no Keystone to ask.
  def eval_generate
    [:keystone_endpoint, :keystone_service, :keystone_user].flat_map { |name| leftovers(Puppet::Type.type(name)) }
  end

  private

  def leftovers(type)
    named = catalog.resources.select { |resource| resource.is_a?(type) }.map(&:uniqueness_key)
    type.provider(:api).managed
        .map { |parameters| type.new(parameters.merge(title: title_of(parameters), ensure: :absent, provider: :api)) }
        .reject { |resource| named.include?(resource.uniqueness_key) }
  end

  # In the form of upstream's titles.
  def title_of(parameters)
    region, name, type, domain = parameters.values_at(:region, :name, :type, :domain)
    full = [name, type || domain].join('::')
    region ? "#{region}/#{full}" : full
  end
end
