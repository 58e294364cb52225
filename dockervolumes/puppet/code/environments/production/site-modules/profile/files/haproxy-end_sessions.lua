-- Ends the sessions of a server that is down, in place of `on-marked-down shutdown-sessions`: that also takes sessions that
-- HAProxy 3.0 is just connecting, and forgets them, so that their clients wait for ever. Seconds later these have got another server.
local AFTER_SECONDS = 3 -- More than the frontends' `timeout connect`.

core.register_task(function()
  while true do
    for _, proxy in pairs(core.backends) do
      if proxy:get_mode() == "tcp" then
        for _, server in pairs(proxy.servers) do
          local told = server:get_stats()
          if told.status:find("^DOWN") and told.lastchg >= AFTER_SECONDS and told.scur > 0 then
            core.Info("ending the sessions of " .. told.svname .. ", which is down")
            server:shut_sess()
          end
        end
      end
    end
    core.sleep(1)
  end
end)
