# The upstream provider with its SQL on standard input: as an argument a password hash would show in the process list.
Puppet::Type.type(:mysql_user).provide(
  :mysql_stdin,
  parent: Puppet::Type.type(:mysql_user).provider(:mysql)
) do
  desc 'MariaDB users through the mysql client, without SQL among its arguments.'

  defaultfor 'os.family' => :debian

  def self.mysql_caller(sql, type)
    options = type == 'regular' ? ['--batch', '--skip-column-names'] : [system_database]
    Tempfile.create('mysql', '/run') do |input|
      input.write(sql)
      input.flush
      line = [command(:mysql_raw), *options]
      Puppet::Util::Execution.execute(line, failonfail: true, stdinfile: input.path).to_s.scrub
    end
  end
end
