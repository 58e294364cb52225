# @summary A secret as the value of an option in a file that PyMySQL reads.
#
# PyMySQL takes blanks from both ends, then one pair of quotes, and nothing of what is between these: unlike MariaDB's own programs, it
# knows no escapes. https://github.com/PyMySQL/PyMySQL/blob/main/pymysql/optionfile.py
#
# @param secret Any printable text.
function dockstack::quote::pymysql(Sensitive[String[1]] $secret) >> String[1] {
  "\"${secret.unwrap}\""
}
