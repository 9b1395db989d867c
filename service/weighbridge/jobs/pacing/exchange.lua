-- What Redis does when a process says how much it asks a registry, and wants to.
--
-- Every process has one row: what it holds, what it wants, and when it last said so. It
-- says all of that anew each time, so that an answer which is lost, or comes to somebody
-- who has given up, does no harm.
--
-- Slots are shared out among those who want one now: each has its part if it wants so
-- much, and more where the others leave it. What does not divide goes round, a fifth of a
-- second each. Turns in the rate (GCRA: one number) are given a quarter of a second ahead,
-- so that a process asks for several at once. Who is urgent is served before all others,
-- from a slot and half a second of turns that are kept for nobody else; who finds neither
-- keeps all others out until there is one. Whatever is further away than anything is ever
-- put off was kept by a clock that was ahead, and does not count. What has another form
-- than ours is removed.
--
-- In: the process; the limits (requests, milliseconds between two); what it has under way
-- and what it wants (each ordinary and urgent); turns that it wants and gives back; a
-- pause to note, in milliseconds; whether it was without Redis until now; how long a row
-- and a pause are believed, in milliseconds.
-- Out: slots that it may use from now on (ordinary, which may be fewer than it has under
-- way, and urgent); turns and the wait before the first (ordinary, urgent); when to ask
-- again; the rest of a pause; how many processes asked within five seconds, and which of
-- them this is; whether somebody waits for what it gives back.

local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local procs, due_key, pause_key, ahead_key = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local me, most, interval = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local in_o, in_u = tonumber(ARGV[4]), tonumber(ARGV[5])
local want_o, want_u = tonumber(ARGV[6]), tonumber(ARGV[7])
local turns, unused = tonumber(ARGV[8]), tonumber(ARGV[9])
local pause_ms, has_come_back = tonumber(ARGV[10]), ARGV[11] == '1'
local kept_ms, longest = tonumber(ARGV[12]), tonumber(ARGV[13])
local most_o = most > 1 and most - 1 or most

for i, key in ipairs(KEYS) do
    local kind = redis.call('TYPE', key).ok
    if kind ~= 'none' and kind ~= (i == 1 and 'hash' or 'string') then
        redis.call('DEL', key)
    end
end
local paused = tonumber(redis.call('GET', pause_key) or '0') - now
if paused > longest then paused = 0 end
if pause_ms > paused and pause_ms > 0 then
    paused = pause_ms
    local until_ms = string.format('%d', now + pause_ms)
    redis.call('SET', pause_key, until_ms, 'PX', pause_ms)
end

local rows = redis.call('HGETALL', procs)
local held_by_others_o, held_by_others, sharers, rank = 0, 0, 1, 0
local others, asking = {}, {}
for i = 1, #rows, 2 do
    local id = rows[i]
    local o, u, demand, seen = string.match(rows[i + 1], '^(%d+) (%d+) (%d+) (%d+)$')
    o, u, demand, seen = tonumber(o), tonumber(u), tonumber(demand), tonumber(seen)
    local ago = seen and now - seen
    if not ago or ago > kept_ms or ago < -60000 or (ago > 5000 and o + u == 0) then
        redis.call('HDEL', procs, id)
    elseif id ~= me then
        held_by_others_o = held_by_others_o + o
        held_by_others = held_by_others + o + u
        if ago <= 5000 then
            sharers = sharers + 1
            if id < me then rank = rank + 1 end
        end
        if ago > 1000 then demand = 0 end
        others[#others + 1] = {id, o, demand}
        if demand > 0 then asking[#asking + 1] = id end
    end
end
if in_o + want_o > 0 then asking[#asking + 1] = me end
table.sort(asking)
local share, parts = {}, math.max(1, #asking)
local base, more = math.floor(most_o / parts), most_o % parts
local first = math.floor(now / 200) % parts
for i, id in ipairs(asking) do
    share[id] = base + (((i - 1 - first) % #asking) < more and 1 or 0)
end

local is_awaited = redis.call('EXISTS', ahead_key) == 1
local free = most - held_by_others - in_o - in_u
local give_u = math.max(0, math.min(want_u, free))
local room_o, is_short = most_o - in_o, false
for _, other in ipairs(others) do
    local due_to_it = math.min(share[other[1]] or 0, other[3])
    room_o = room_o - math.max(other[2], due_to_it)
    if other[2] < due_to_it then is_short = true end
end

local slack_u = math.max(1000, interval)
local slack_o = math.max(interval, slack_u / 2)
local n_o, first_o, n_u, first_u, retry = 0, 0, 0, 0, 20
if interval > 0 then
    local due = tonumber(redis.call('GET', due_key) or '0')
    if due > now + longest then due = now end
    due = math.max(due - unused * interval, now)
    if has_come_back then due = math.max(due, now + slack_o) end
    if paused <= 0 then
        for _ = 1, give_u do
            local wait = math.ceil(due + interval - slack_u - now)
            if wait >= 1000 then break end
            if n_u == 0 then first_u = wait end
            n_u, due = n_u + 1, due + interval
        end
        give_u = n_u
        local open = math.floor((now + 250 + slack_o - due) / interval)
        if want_u == n_u and not is_awaited and open > 0 then
            n_o = math.min(turns, math.ceil(open / parts))
            n_o = math.min(n_o, 4 * math.max(0, in_o + room_o))
        end
        if n_o > 0 then
            first_o = math.ceil(due + interval - slack_o - now)
            due = due + n_o * interval
            retry = math.max(20, math.floor(due - slack_o - now) - 50)
        else
            retry = math.ceil(due + interval - slack_o - 250 - now)
            retry = math.max(20, retry, math.min(250, #asking * interval / 2))
        end
    end
    redis.call('SET', due_key, tostring(due), 'PX', math.ceil(due - now) + 1000)
end
if paused > 0 then give_u, want_o, retry = 0, 0, math.min(500, paused) end
if give_u < want_u and paused <= 0 then
    redis.call('SET', ahead_key, '1', 'PX', 250)
    is_awaited, retry = true, 5
elseif want_u > 0 then
    redis.call('DEL', ahead_key)
    is_awaited = false
end
local give_o = math.min(want_o, room_o, free - give_u)
if give_o > 0 and (is_awaited or (interval > 0 and n_o == 0 and turns >= want_o)) then
    give_o = 0
end
if is_awaited then give_o = math.min(give_o, -1) end
local may_o = math.max(0, in_o + give_o)
local held_o, held_u = math.max(in_o, may_o), in_u + give_u
redis.call('HSET', procs, me, string.format('%d %d %d %d',
    held_o, held_u, in_o + want_o, now))
redis.call('PEXPIRE', procs, kept_ms)
if interval == 0 and paused <= 0 and not is_awaited and held_o >= (share[me] or 0) then
    retry = math.max(5, math.min(100, 200 - now % 200))
end
return {may_o, held_u, n_o, first_o, n_u, first_u, retry, math.max(0, paused),
    sharers, rank, (is_short or is_awaited) and 1 or 0}
