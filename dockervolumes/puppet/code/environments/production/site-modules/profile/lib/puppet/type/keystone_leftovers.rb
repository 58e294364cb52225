Puppet::Type.newtype(:keystone_leftovers) do
  desc <<~DESC
    Removes users, services and endpoints that an earlier run made in Keystone and that the catalog no longer names. What
    anybody else made stays. Of use with the provider `api` of those types, which marks what it makes.
  DESC

  newparam(:name, namevar: true) do
    desc 'Any name.'
  end

  newproperty(:ensure) do
    desc 'That there are none.'
    newvalue(:absent) { @resource.leftovers.each { |leftover| leftover.provider.destroy } }
    defaultto :absent

    def retrieve
      @found = @resource.leftovers.map(&:ref)
      @found.empty? ? :absent : :present
    end

    def change_to_s(_present, _wanted)
      "removed #{@found.join(', ')}"
    end
  end

  # As resources of their types, none of which is in the catalog.
  def leftovers
    [:keystone_endpoint, :keystone_service, :keystone_user].flat_map { |name| leftovers_of(Puppet::Type.type(name)) }
  end

  private

  def leftovers_of(type)
    named = catalog.resources.select { |resource| resource.is_a?(type) }.map(&:uniqueness_key)
    type.provider(:api).managed
        .map { |parameters| type.new(parameters.merge(title: title_of(parameters), provider: :api)) }
        .reject { |resource| named.include?(resource.uniqueness_key) }
  end

  # In the form of upstream's titles.
  def title_of(parameters)
    region, name, type, domain = parameters.values_at(:region, :name, :type, :domain)
    full = [name, type || domain].join('::')
    region ? "#{region}/#{full}" : full
  end
end
