// A day at the counter of a library, on a clock that is moved by hand: node docs/examples/sessions/day.mjs
import Keyv from 'keyv'
import { KeyvSiltstone } from 'siltstone/keyv'
import { openSessions } from './sessions.mjs'

const MINUTE_MS = 60_000
const start = Date.parse('2026-11-21T08:00:00Z')
let time = start
// The seam through which time enters the store. Timers have nothing to do here: expiry needs none.
const clock = { now: () => time, after: () => () => {} }

const sessions = await openSessions(':memory:', { clock })
const tokens = new Map()

async function at(minute, what, act) {
  time = start + minute * MINUTE_MS
  const result = await act()
  console.log(`${new Date(time).toISOString().slice(11, 16)}  ${what.padEnd(44)} ${result}`)
}
const signIn = (name, place) => async () => {
  tokens.set(`${name} ${place}`, await sessions.begin(name, { place }))
  return `signed in, ${await sessions.count(name)} of ${name}'s`
}
const visit = (name, place) => async () => {
  const session = await sessions.visit(tokens.get(`${name} ${place}`))
  return session === undefined ? 'sign in again, please' : `hello ${session.user}`
}

await at(0, 'ada signs in at the desk', signIn('ada', 'desk'))
await at(5, 'ada signs in on her phone', signIn('ada', 'phone'))
await at(25, 'ada looks something up at the desk', visit('ada', 'desk'))
await at(40, 'half an hour later the phone is signed out', visit('ada', 'phone'))
await at(54, 'the desk is not: each visit renews it', visit('ada', 'desk'))
for (let minute = 75; minute < 720; minute += 25) {
  time = start + minute * MINUTE_MS
  await sessions.visit(tokens.get('ada desk'))
}
await at(719, 'all day long', visit('ada', 'desk'))
await at(720, 'twelve hours after signing in it ends', visit('ada', 'desk'))
await at(725, 'bob signs in at the desk', signIn('bob', 'desk'))
await at(726, 'and on a tablet', signIn('bob', 'tablet'))
await at(730, 'bob changes his password', async () => `signed out of ${await sessions.endAll('bob')}`)
await at(731, 'so his tablet asks', visit('bob', 'tablet'))

// The same store as a cache by way of Keyv, for what is only worth keeping for a while.
const covers = new Keyv({ store: new KeyvSiltstone(sessions.db.keyspace('covers')), namespace: 'covers' })
const KEEP_MS = 10_000
await covers.set('moby-dick', { title: 'Moby-Dick', width: 300 }, KEEP_MS)
console.log(`       a cover from the cache: ${(await covers.get('moby-dick')).title}`)
await sessions.close()
