// Stand-in for the job server of OpenSDN's console: it takes connections where the web server looks for it.
'use strict'
const net = require('net')
const config = require('/etc/contrail/config.global.js')

net.createServer(socket => socket.resume()).listen(3002, config.jobServer.server_ip)
console.log("stand-in for OpenSDN, made by Dockstack's tests")
