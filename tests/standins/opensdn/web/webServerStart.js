// Stand-in for the web server of OpenSDN's console: reads the same files, talks to the same Keystone, APIs, Redis and job server,
// and shows the config nodes and the virtual networks to who logs in.
'use strict'
const crypto = require('crypto')
const fs = require('fs')
const http = require('http')
const https = require('https')
const net = require('net')
const os = require('os')

const config = require('/etc/contrail/config.global.js')
const auth = require('./config/userAuth.js')
const NOTICE = "stand-in for OpenSDN, made by Dockstack's tests"
const PAGE = `<!DOCTYPE html><html><head><meta name="description" content="OpenSDN Web Console">
<title>Stand-in for the OpenSDN Web Console</title></head><body><h1>${NOTICE}</h1>
<form id="login"><input id="username"><input id="password" type="password"><input id="domain" value="">
<button>Sign in</button></form><p id="said"></p><ul id="shown"></ul>
<script>
login.onsubmit = async event => {
  event.preventDefault()
  const given = { username: username.value, password: password.value, domain: domain.value }
  const answer = await fetch('/authenticate', { method: 'POST', body: JSON.stringify(given) })
  const told = await answer.json()
  said.textContent = told.isAuthenticated ? 'Signed in' : told.msg
  if (!told.isAuthenticated) return
  for (const kind of ['config-nodes', 'virtual-networks'])
    for (const name of await (await fetch('/api/' + kind)).json())
      shown.appendChild(Object.assign(document.createElement('li'), { textContent: name }))
}
</script></body></html>`

const fail = reason => { console.error(reason); process.exit(1) }
if (!auth.admin_user || !auth.admin_password) fail('userAuth.js names no user')

// The real one's worker crashes where nobody listens; an answer of any kind is taken well.
const ask = (place, method, path, headers, body) => new Promise((resolve, reject) => {
  const secure = place.protocol === 'https'
  const options = { host: place.ip, port: place.port, method, path, headers, timeout: 20000 }
  if (secure) Object.assign(options, { rejectUnauthorized: place.strictSSL, ca: place.ca ? fs.readFileSync(place.ca) : undefined })
  const request = (secure ? https : http).request(options, answer => {
    let text = ''
    answer.on('data', part => { text += part })
    answer.on('end', () => resolve({ status: answer.statusCode, headers: answer.headers, text }))
  })
  request.on('error', error => error.code === 'ECONNREFUSED' ? fail(`${place.ip}:${place.port} refuses connections`) : reject(error))
  request.end(body)
})
const first = value => Array.isArray(value) ? value[0] : value
const place = section => ({
  ip: first(section.server_ip || section.ip), port: section.server_port || section.port,
  protocol: section.authProtocol, strictSSL: section.strictSSL, ca: section.ca
})
const KEYSTONE = place(config.identityManager)
const CONFIG = place(config.cnfg)
const ANALYTICS = place(config.analytics)
for (const each of [KEYSTONE, CONFIG, ANALYTICS])
  setInterval(() => ask(each, 'GET', '/', {}).catch(error => console.error(`${each.ip}:${each.port} ${error.message}`)), 2000)

const redis = (...commands) => new Promise((resolve, reject) => {
  const wire = [['AUTH', config.redis_password], ...commands]
    .map(words => `*${words.length}\r\n${words.map(word => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join('')}`).join('')
  const socket = net.connect(config.redis_server_port, config.redis_server_ip, () => socket.write(wire + '*1\r\n$4\r\nQUIT\r\n'))
  let said = ''
  socket.on('data', part => { said += part })
  socket.on('error', reject)
  socket.on('close', () => said.startsWith('+OK') ? resolve(said.split('\r\n')) : reject(new Error(said.trim() || 'no answer')))
})

const logIn = async given => {
  const domain = given.domain || config.identityManager.defaultDomain
  if (!domain) return { isAuthenticated: false, msg: 'Invalid domain' }
  const user = { name: given.username, password: given.password, domain: { name: domain } }
  const scope = { project: { name: 'admin', domain: { name: domain } } }
  const body = JSON.stringify({ auth: { identity: { methods: ['password'], password: { user } }, scope } })
  const answer = await ask(KEYSTONE, 'POST', '/v3/auth/tokens', { 'Content-Type': 'application/json' }, body)
  if (answer.status !== 201) return { isAuthenticated: false, msg: 'Invalid User or Password' }
  const roles = JSON.parse(answer.text).token.roles.map(role => role.name)
  const admin = roles.some(role => config.roleMaps.cloudAdmin.includes(role) || config.roleMaps.cloudAdmin.includes('*'))
  if (!admin) return { isAuthenticated: false, msg: 'No role that may' }
  const session = crypto.randomBytes(16).toString('hex')
  await redis(['SELECT', String(config.redisDBIndex)], ['SETEX', session, '3600', answer.headers['x-subject-token']])
  return { isAuthenticated: true, session }
}

const SHOWN = ['/config-nodes', '/virtual-networks']
const names = async (path, session) => {
  const told = await redis(['SELECT', String(config.redisDBIndex)], ['GET', session])
  const token = told[3]
  const answer = await ask(CONFIG, 'GET', path, { 'X-Auth-Token': token || '' })
  return answer.status === 200 ? JSON.parse(answer.text)[path.slice(1)].map(each => each.fq_name[each.fq_name.length - 1]) : null
}

const read = request => new Promise(resolve => {
  let text = ''
  request.on('data', part => { text += part })
  request.on('end', () => resolve(text))
})

const serve = async (request, answer) => {
  const send = (status, kind, text, headers) => { answer.writeHead(status, { 'Content-Type': kind, ...headers }); answer.end(text) }
  try {
    if (request.method === 'POST' && request.url === '/authenticate') {
      const { session, ...told } = await logIn(JSON.parse(await read(request)))
      send(200, 'application/json', JSON.stringify(told), session ? { 'Set-Cookie': `session=${session}; Secure; HttpOnly` } : {})
    } else if (SHOWN.includes(request.url.replace('/api', ''))) {
      const found = await names(request.url.replace('/api', ''), (/session=([0-9a-f]+)/.exec(request.headers.cookie) || [])[1] || '')
      send(found ? 200 : 401, 'application/json', JSON.stringify(found))
    } else {
      await redis(['PING'])
      send(200, 'text/html', PAGE)
    }
  } catch (error) {
    console.error(error.message)
    send(500, 'text/plain', error.message)
  }
}

let pair
try {
  pair = { key: fs.readFileSync(config.server_options.key_file), cert: fs.readFileSync(config.server_options.cert_file) }
} catch (error) {
  fail(error.message)
}
const local = Object.values(os.networkInterfaces()).flat().map(each => each.address)
const wanted = config.webui_addresses.filter(address => local.includes(address))
for (const address of wanted.length ? wanted : ['0.0.0.0']) {
  https.createServer(pair, serve).listen(config.https_port, address)
  http.createServer((request, answer) => {
    answer.writeHead(302, { Location: `https://${address}:${config.https_port}${request.url}` })
    answer.end()
  }).listen(config.http_port, address)
}
net.createServer(socket => socket.resume()).on('error', error => fail(error.message)).listen(3000, '127.0.0.1')
console.log(NOTICE)
